% octave-cli answer.m FOLDER: answers the vectors of FOLDER that are written as MAT-files, into FOLDER/answers.
source(fullfile(fileparts(mfilename("fullpath")), "notes.m"));

folder = argv(){1};
[~, ~] = mkdir(folder, "answers");
for file = dir(fullfile(folder, "*.mat"))'
  question = load(fullfile(folder, file.name));
  facts = jsondecode(question.facts, "makeValidName", false);
  if ! isfield(offered(), facts.operation), continue, end
  options = facts.("case").options;
  answer = answered(facts.operation, "vjp", question, options);
  answer.output = answered(facts.operation, "forward", question, options).output;
  save("-v7", fullfile(folder, "answers", file.name), "-struct", "answer");
end
