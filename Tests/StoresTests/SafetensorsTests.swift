import Basics
import Stores
import TestSupport
import Testing

@Suite struct SafetensorsTests {
  @Test func whatIsWrittenIsRead() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.safetensors"
    let first: [Float] = [1, -2, .nan, .infinity, .leastNonzeroMagnitude, 6]
    let second: [Float] = [7]
    try first.withUnsafeBufferPointer { first in
      try second.withUnsafeBufferPointer { second in
        try Safetensors.create(
          [
            .init(name: "blocks.0.weight", shape: [2, 3]), .init(name: "bias", shape: [1]),
            .init(name: "nothing", shape: [0]),
          ], metadata: ["format": "pt", "note": "quotes \" and é"], at: path)
        // In parts, in any order, by several writers.
        let other = try Safetensors.OpenFile(path)
        let file = try Safetensors.OpenFile(path)
        try file.write("blocks.0.weight", at: 4, UnsafeBufferPointer(rebasing: first[4...]))
        try other.write("bias", at: 0, second)
        try file.write("blocks.0.weight", at: 0, UnsafeBufferPointer(rebasing: first[..<4]))
        try other.finish()
        try file.finish()
      }
    }
    let file = try Safetensors.File(path)
    #expect(file.entries["blocks.0.weight"]?.shape == [2, 3])
    #expect(try file.floats("blocks.0.weight").map(\.bitPattern) == first.map(\.bitPattern))
    #expect(try file.floats("bias") == second)
    #expect(try file.floats("nothing") == [])
    #expect(file.metadata == ["format": "pt", "note": "quotes \" and é"])
    // Data start at a multiple of 8 bytes, as readers that map the file expect.
    let length = try Files.read(path).prefix(8).reversed().reduce(0) { $0 << 8 | Int($1) }
    #expect(length % 8 == 0)
  }

  @Test func otherTensorsAreRefusedWithBothShapes() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.safetensors"
    try write(
      "{\"w\": {\"dtype\": \"F32\", \"shape\": [2, 3], \"data_offsets\": [0, 24]}, "
        + "\"h\": {\"dtype\": \"BF16\", \"shape\": [2], \"data_offsets\": [24, 28]}, "
        + "\"n\": {\"dtype\": \"I16\", \"shape\": [1], \"data_offsets\": [28, 30]}}", data: 30, to: path)
    let file = try Safetensors.File(path)
    var floats = [Float](repeating: 0, count: 6)
    let shape = #expect(throws: JigsawError.self) {
      try floats.withUnsafeMutableBufferPointer { try file.read("w", shape: [3, 2], into: $0) }
    }
    #expect(shape?.description.contains("expected F32 [3, 2], found F32 [2, 3]") == true)
    let type = #expect(throws: JigsawError.self) { try file.floats("h") }
    #expect(type?.description.contains("found BF16 [2]") == true)
    let name = #expect(throws: JigsawError.self) { try file.floats("v") }
    #expect(name?.place == path)
  }

  /// Headers as damage and malice make them.
  static let malformed: [(header: String, data: Int)] = [
    ("[]", 0), ("7", 0), ("{", 0), ("", 0), ("not json", 0),
    ("{\"w\": 3}", 4), ("{\"w\": {}}", 4), ("{\"w\": {\"dtype\": \"F32\", \"shape\": [1]}}", 4),
    ("{\"w\": {\"dtype\": 3, \"shape\": [1], \"data_offsets\": [0, 4]}}", 4),
    ("{\"w\": {\"dtype\": \"F32\", \"shape\": 1, \"data_offsets\": [0, 4]}}", 4),
    ("{\"w\": {\"dtype\": \"F32\", \"shape\": [-1], \"data_offsets\": [0, 4]}}", 4),
    ("{\"w\": {\"dtype\": \"F32\", \"shape\": [1.5], \"data_offsets\": [0, 4]}}", 4),
    ("{\"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4, 8]}}", 8),
    ("{\"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [-4, 0]}}", 4),
    ("{\"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [4, 0]}}", 4),
    ("{\"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 8]}}", 8),
    ("{\"w\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]}}", 4),
    ("{\"w\": {\"dtype\": \"F32\", \"shape\": [4611686018427387904, 4], \"data_offsets\": [0, 4]}}", 4),
    ("{\"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [9223372036854775803, 9223372036854775807]}}", 4),
    ("{\"w\": {\"dtype\": \"F33\", \"shape\": [4], \"data_offsets\": [0, 4]}}", 4),
    // Two tensors in the same bytes; a hole; bytes that belong to no tensor.
    (
      "{\"v\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [0, 8]}, "
        + "\"w\": {\"dtype\": \"F32\", \"shape\": [2], \"data_offsets\": [4, 12]}}", 12
    ),
    (
      "{\"v\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}, "
        + "\"w\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [8, 12]}}", 12
    ),
    ("{\"v\": {\"dtype\": \"F32\", \"shape\": [1], \"data_offsets\": [0, 4]}}", 8),
  ]

  @Test(arguments: malformed.indices) func malformedHeadersAreRefused(index: Int) throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.safetensors"
    let (header, data) = Self.malformed[index]
    try write(header, data: data, to: path)
    let error = #expect(throws: JigsawError.self, "\(header)") { try Safetensors.File(path) }
    #expect(error?.place == path)
  }

  @Test func impossibleLengthsAreRefused() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.safetensors"
    let lengths: [[UInt8]] = [
      [], [1, 2, 3], Array(repeating: 0xFF, count: 8), Array(repeating: 0xFF, count: 7) + [0x7F],
      [200, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 0, 0, 0],
    ]
    for length in lengths {
      try Files.writeAtomically(length + (length.count == 8 ? Array("{}".utf8) : []), to: path)
      let error = #expect(throws: JigsawError.self, "\(length)") { try Safetensors.File(path) }
      #expect(error?.place == path)
    }
    #expect(throws: JigsawError.self) { try Safetensors.File("\(folder.path)/none") }
    #expect(throws: JigsawError.self) { try Safetensors.File(folder.path) }
  }

  @Test func textThatIsNotUTF8IsRefused() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/a.safetensors"
    let header: [UInt8] = [0x7B, 0x22, 0xFF, 0xFE, 0xC0, 0x22, 0x3A, 0x31, 0x7D]
    try Files.writeAtomically([UInt8(header.count), 0, 0, 0, 0, 0, 0, 0] + header, to: path)
    #expect(throws: JigsawError.self) { try Safetensors.File(path) }
  }

  /// What the reference library wrote, and a file cut short anywhere.
  @Test func filesOfTheReferenceLibraryAreReadAndCutOnesRefused() throws {
    let whole = try Files.read(Goldens.path("fields.safetensors"))
    let file = try Goldens.fields()
    #expect(file.entries["truth/z"]?.shape == [8, 2, 6, 8])
    #expect(try file.floats("truth/latitude") == [75, 45, 15, -15, -45, -75])
    let folder = try TemporaryFolder()
    for count in [0, 7, 8, 100, 1_000, whole.count / 2, whole.count - 1] {
      try Files.writeAtomically(Array(whole[..<count]), to: "\(folder.path)/cut")
      #expect(throws: JigsawError.self, "\(count)") { try Safetensors.File("\(folder.path)/cut") }
    }
  }

  private func write(_ header: String, data: Int, to path: String) throws {
    var bytes = withUnsafeBytes(of: UInt64(header.utf8.count).littleEndian) { Array($0) }
    bytes += Array(header.utf8) + [UInt8](repeating: 0, count: data)
    try Files.writeAtomically(bytes, to: path)
  }
}
