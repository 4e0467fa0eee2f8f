#!/bin/sh
# How fast JSON documents are parsed, in MB/s: metadata of many arrays, texts, whole numbers, numbers with fractions.
# Compiles the parser alone, as in a release build. Usage: Scripts/bench-json.sh
set -eu
cd "$(dirname "$0")/.."
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cat > "$folder/main.swift" <<'SWIFT'
func rate(_ name: String, _ text: String) throws {
  let bytes = Array(text.utf8)
  let clock = ContinuousClock()
  var best = Duration.seconds(1_000)
  for _ in 0..<5 { best = min(best, try clock.measure { _ = try JSONParser.parse(bytes) }) }
  let seconds = Double(best.components.attoseconds) * 1e-18 + Double(best.components.seconds)
  print("\(name): \((Double(bytes.count) / 1e6 / seconds * 10).rounded() / 10) MB/s of \(bytes.count / 1_000) kB")
}
let array =
  "{\"chunks\": [1, 721, 1440], \"compressor\": {\"blocksize\": 0, \"clevel\": 5, \"cname\": \"lz4\", \"id\": \"blosc\", "
  + "\"shuffle\": 1}, \"dtype\": \"<f4\", \"fill_value\": \"NaN\", \"filters\": null, \"order\": \"C\", "
  + "\"shape\": [92044, 721, 1440], \"zarr_format\": 2}"
func list(_ element: (Int) -> String, _ count: Int) -> String { "[" + (0..<count).map(element).joined(separator: ",") + "]" }
try rate("metadata of arrays", "{" + (0..<10_000).map { "\"v\($0)/.zarray\": \(array)" }.joined(separator: ", ") + "}")
try rate("texts", list({ "\"the text of an attribute, number \($0)\"" }, 50_000))
try rate("whole numbers", list({ String($0) }, 400_000))
try rate("numbers", list({ String(Double($0) * 0.001 + 1e-7) }, 200_000))
SWIFT
swiftc -O -o "$folder/bench" "$folder/main.swift" \
  Sources/Basics/JSONParser.swift Sources/Basics/JSONValue.swift Sources/Basics/JigsawError.swift Sources/Basics/SafeText.swift
"$folder/bench"
