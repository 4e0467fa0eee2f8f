import Basics

extension ZarrStore {
  private static let documents: Set<String> = ["zarr.json", ".zgroup", ".zmetadata", ".zarray", ".zattrs"]

  /// Refuses to replace a folder that holds something else than a Zarr store. Whatever else has this name may be replaced.
  public static func requireReplaceable(_ path: String) throws {
    guard Files.isDirectory(path) else { return }
    let names = try Files.list(path).filter { !Temporary.isOne($0) }
    if names.isEmpty { return }
    guard let other = try documents.isDisjoint(with: names) ? names.min() : foreign(path) else { return }
    throw JigsawError(
      path, "is a folder that holds other things than a Zarr store", expected: "a Zarr store, or nothing", found: other,
      remedy: "name another output")
  }

  /// The first file of a group, or of those in it, that is none of Zarr's. What is below an array are its chunks.
  private static func foreign(_ folder: String, depth: Int = 0) throws -> String? {
    let names = try Files.list(folder).filter { !Temporary.isOne($0) }.sorted()
    let isArray =
      try names.contains(".zarray")
      || names.contains("zarr.json") && isArrayDocument(Files.read("\(folder)/zarr.json", atMost: 1 << 20))
    if isArray { return nil }
    for name in names where !documents.contains(name) {
      let path = "\(folder)/\(name)"
      guard Files.isFolderItself(path), depth < 32 else { return name }
      if let other = try foreign(path, depth: depth + 1) { return "\(name)/\(other)" }
    }
    return nil
  }

  private static func isArrayDocument(_ bytes: [UInt8]) -> Bool {
    (try? JSONValue(parsing: bytes, place: "zarr.json"))?["node_type"]?.string == "array"
  }
}
