// Answers the vectors of `upsample` in safetensors: cargo run -- FOLDER, with the crates safetensors and serde_json.
// On paper: no test compiles it.
use safetensors::tensor::{serialize, Dtype, SafeTensors, TensorView};
use std::{collections::HashMap, error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).expect("the folder of the vectors");
    fs::create_dir_all(Path::new(&folder).join("answers"))?;
    for entry in fs::read_dir(&folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap().to_string_lossy();
        if name.starts_with("upsample-") {
            fs::write(path.with_file_name("answers").join(&*name), answer(&fs::read(&path)?)?)?;
        }
    }
    Ok(())
}

fn answer(bytes: &[u8]) -> Result<Vec<u8>, Box<dyn Error>> {
    let (_, head) = SafeTensors::read_metadata(bytes)?;
    let facts: serde_json::Value = serde_json::from_str(&head.metadata().as_ref().unwrap()["facts"])?;
    let n = facts["case"]["options"]["n"].as_u64().unwrap() as usize;

    let vector = SafeTensors::deserialize(bytes)?;
    let (x, c) = (vector.tensor("input_x")?, vector.tensor("cotangent")?);
    let (shape, values, weights) = (x.shape().to_vec(), doubles(x.data()), doubles(c.data()));
    let wide = vec![shape[0], shape[1], shape[2] * n, shape[3] * n];

    let (mut y, mut dx) = (vec![0.0; weights.len()], vec![0.0; values.len()]);
    for at in 0..y.len() {
        let (row, column) = (at / wide[3], at % wide[3]); // over all maps
        let from = row / n * shape[3] + column / n; // n divides the height of a map
        y[at] = values[from];
        dx[from] += weights[at];
    }
    let (y, dx) = (bytes_of(&y), bytes_of(&dx));
    let arrays = HashMap::from([
        ("output", TensorView::new(Dtype::F64, wide, &y)?),
        ("gradient_x", TensorView::new(Dtype::F64, shape, &dx)?),
    ]);
    Ok(serialize(arrays, &None)?) // from version 0.5 on: None
}

fn doubles(data: &[u8]) -> Vec<f64> {
    data.chunks_exact(8).map(|each| f64::from_le_bytes(each.try_into().unwrap())).collect()
}

fn bytes_of(values: &[f64]) -> Vec<u8> {
    values.iter().flat_map(|each| each.to_le_bytes()).collect()
}
