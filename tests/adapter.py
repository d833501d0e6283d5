"""A program for gradcheck certify --command in nothing but the standard library: tanh and upsample."""

import json
import math
import sys


def elements(array):
    return [float.fromhex(each) for each in array["data"]]


def tanh(call, arrays, options):
    values = elements(arrays["input_u"])
    shape = arrays["input_u"]["shape"]
    if call == "forward":
        return {"output": {"shape": shape, "data": [math.tanh(u) for u in values]}}
    slopes = [math.exp(-2 * abs(u)) for u in values]  # 1 - tanh² loses all digits where tanh rounds to 1
    slopes = [4 * e / (1 + e) ** 2 for e in slopes]
    weighted = [c * slope for c, slope in zip(elements(arrays["cotangent"]), slopes, strict=True)]
    return {"gradient_u": {"shape": shape, "data": weighted}}


def upsample(call, arrays, options):
    n, (batch, maps, height, width) = options["n"], arrays["input_x"]["shape"]
    wide = [batch, maps, height * n, width * n]
    places = [
        (m * height + r // n) * width + s // n
        for m in range(batch * maps)
        for r in range(height * n)
        for s in range(width * n)
    ]
    if call == "forward":
        values = elements(arrays["input_x"])
        return {"output": {"shape": wide, "data": [values[place] for place in places]}}
    sums = [0.0] * (batch * maps * height * width)
    for place, c in zip(places, elements(arrays["cotangent"]), strict=True):
        sums[place] += c
    return {"gradient_x": {"shape": arrays["input_x"]["shape"], "data": [each.hex() for each in sums]}}


OPERATIONS = {"tanh": tanh, "upsample": upsample}


def answered(question):
    if question["call"] == "describe":
        return {"offers": {name: ["forward", "vjp"] for name in OPERATIONS}, "version": "1.2"}
    operation = OPERATIONS[question["operation"]]
    return {"arrays": operation(question["call"], question["arrays"], question["options"])}


def main():
    for line in sys.stdin:
        question = json.loads(line)
        print(json.dumps({"id": question["id"], **answered(question)}), flush=True)


if __name__ == "__main__":
    main()
