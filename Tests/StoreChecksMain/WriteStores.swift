import Basics
import Stores

/// Writes a Zarr store for every `FOLDER/NAME.json`, which says how, with an array `a` of the numbers in `FOLDER/NAME.bin`:
/// by two writers in turns, chunk row by chunk row.
enum WriteStores {
  static func run(_ folder: String) throws {
    let names = try Files.list(folder).filter { $0.hasSuffix(".json") }
    for file in names {
      let name = String(file.dropLast(".json".count))
      let settings = try JSONValue(parsing: Files.read("\(folder)/\(file)"), place: file)
      try write("\(folder)/\(name).zarr", settings, Files.read("\(folder)/\(name).bin"))
    }
    print("\(names.count) stores written")
  }

  private static func write(_ path: String, _ settings: JSONValue, _ bytes: [UInt8]) throws {
    let shape = settings["shape"]?.integers ?? []
    let chunks = settings["chunks"]?.integers ?? shape
    let type = ScalarType(rawValue: settings["type"]?.string ?? "float32") ?? .float32
    var encoding = ChunkEncoding(try compression(settings["compression"]?.string ?? "none", path))
    encoding.hasChecksum = settings["checksum"] == .bool(true)
    encoding.shards = settings["shards"]?.integers
    encoding.isFortranOrder = settings["order"]?.string == "F"
    encoding.isBigEndian = settings["endian"]?.string == ">"
    encoding.separator = settings["separator"]?.string.flatMap { ChunkEncoding.Separator(rawValue: $0) }
    let names = shape.indices.map { "d\($0)" }
    let definition = StoreDefinition(
      dimensions: zip(names, shape).map { .init(name: $0, size: $1) },
      arrays: [
        ArrayDefinition(
          name: "a", type: type, meaning: meaning(settings["meaning"]?.string ?? ""), dimensions: names, chunks: chunks,
          attributes: ["note": .text("Grüße"), "nested": .json(.object(["deep": .array([.null, .bool(true)])]))],
          fill: settings["fill"]?.double, encoding: encoding)
      ], attributes: ["one": .numbers([1])], isConsolidated: settings["consolidated"] != .bool(false))
    let format = settings["format"]?.integer ?? 2
    let isResumed = settings["resuming"] == .bool(true)
    let writer = try createStore(path, definition, resuming: isResumed, zarrFormat: format)
    let other = try createStore(
      path, definition, joins: true, resuming: isResumed, temporary: writer.temporary, zarrFormat: format)
    let rowBytes = shape.dropFirst().reduce(type.byteCount, *)
    let step = (encoding.shards ?? chunks).first ?? 1
    for (turn, first) in stride(from: 0, to: shape.first ?? 1, by: step).enumerated() {
      let rows = first..<min(first + step, shape.first ?? 1)
      let box = shape.isEmpty ? [] : [rows] + shape.dropFirst().map { 0..<$0 }
      let part = Array(bytes[rows.lowerBound * rowBytes..<rows.upperBound * rowBytes])
      try (turn % 2 == 0 ? writer : other).write("a", box, RawArray(type: type, bytes: part))
    }
    try other.finish()
    try writer.finish()
  }

  /// "none", "zstd 3", "blosc lz4 5 1": name, settings.
  private static func compression(_ text: String, _ place: String) throws -> Compression {
    let words = text.split(separator: " ").map(String.init)
    let level = words.count > 1 ? Int(words[1]) ?? 1 : 1
    switch words.first {
    case "none": return .none
    case "zstd": return .zstd(level: level)
    case "gzip": return .gzip(level: level)
    case "zlib": return .zlib(level: level)
    case "lz4": return .lz4
    case "blosc" where words.count == 4:
      let shuffle = Int(words[3]).flatMap { Compression.Shuffle(rawValue: $0) } ?? .none
      return .blosc(compressor: words[1], level: Int(words[2]) ?? 5, shuffle: shuffle)
    default: throw JigsawError(place, "has an unknown compression '\(text)'")
    }
  }

  /// "", "truth", "date s", "difference ns".
  private static func meaning(_ text: String) -> ElementMeaning {
    let words = text.split(separator: " ").map(String.init)
    return switch words.first {
    case "truth": .truth
    case "date": .date(unit: words[1])
    case "difference": .timeDifference(unit: words[1])
    default: .number
    }
  }
}
