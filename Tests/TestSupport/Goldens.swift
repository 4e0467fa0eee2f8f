import Basics
import Stores

/// What the reference tools wrote and read (Tests/Goldens/make_store_goldens.py).
public enum Goldens {
  public static let folder =
    "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/") + "/Goldens/stores"

  public static func path(_ store: String) -> String { "\(folder)/\(store)" }

  /// An array as it is stored.
  public struct RawExpectation: Sendable {
    public let type: ScalarType
    public let shape: [Int]
    /// Exact for what doubles hold; NaN where undefined.
    public let values: [JSONValue]
  }

  /// Read once, since it is long.
  private static let parsed = Result {
    try JSONValue(parsing: Files.read(path("expected.json")), place: "expected.json")
  }

  public static func document() throws -> JSONValue { try parsed.get() }

  /// Arrays by name.
  public static func arrays(_ store: String) throws -> [String: RawExpectation] {
    let members = try document()["arrays"]?[store]?.object ?? [:]
    return members.compactMapValues { json in
      guard let type = json["type"]?.string.flatMap(ScalarType.init), let shape = json["shape"]?.integers,
        let values = json["values"]?.array
      else { return nil }
      return RawExpectation(type: type, shape: shape, values: values)
    }
  }

  /// Decoded fields, FP32: "truth/z", "packed.nc/msl", "forcing/insolation".
  public static func fields() throws -> Safetensors.File { try Safetensors.File(path("fields.safetensors")) }
}

/// Pseudo-random whole numbers, the same in every run (SplitMix64).
public struct TestNumbers {
  private var state: UInt64

  public init(_ seed: UInt64) { state = seed }

  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  public mutating func integer(in range: Range<Int>) -> Int {
    range.lowerBound + Int(next() % UInt64(range.count))
  }
}
