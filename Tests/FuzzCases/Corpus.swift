import Basics
import Stores
import TestSupport

/// Small inputs that once went wrong, or stand for a kind that did: `Tests/FuzzTests/Corpus`.
///
/// `NAME.store.json` holds a Zarr store: for each key a document, or the numbers of a chunk as `{"float64": […]}`. `NAME.json`
/// is a document itself; other files are stores as they are.
public enum Corpus {
  /// - Returns: whether the input could be opened. Throws nothing but what is a failure: refusals are caught.
  public static func replay(_ path: String) throws -> Bool {
    let bytes = try Files.read(path)
    if path.hasSuffix(".store.json") {
      let values = try values(JSONValue(parsing: bytes, place: path), place: path)
      return try Probe.run { try ZarrStore(GuardedStorage(values: MemoryStorage(values))) }
    }
    if path.hasSuffix(".json") {
      do { _ = try JSONValue(parsing: bytes, place: path) } catch is JigsawError { return false }
      return true
    }
    return try Probe.run { try openStore(path) }
  }

  private static func values(_ store: JSONValue, place: String) throws -> [String: [UInt8]] {
    guard let members = store.object else { throw JigsawError(place, "is no store") }
    return members.mapValues { value in
      guard let numbers = value.object?["float64"]?.array else { return Array(value.line.utf8) }
      return numbers.flatMap { number in
        withUnsafeBytes(of: (number.double ?? .nan).bitPattern.littleEndian) { Array($0) }
      }
    }
  }
}
