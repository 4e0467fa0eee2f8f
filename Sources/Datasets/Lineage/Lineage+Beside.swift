import Basics

/// Records beside files that have no place for attributes. One describes the very file that it was written for.
extension Lineage {
  public static func sidecar(_ path: String) -> String { "\(path).lineage.json" }

  /// The record of a file; nil where none beside it describes it.
  public static func beside(_ path: String) throws -> Lineage? { try describing(path)?.record }

  /// A file gets its name before its record does: a writer that was stopped in between has left the record under a temporary name.
  private static func describing(_ path: String) throws -> (name: String, record: Lineage)? {
    let names = try [sidecar(path)] + Temporary.abandoned(of: sidecar(path))
    let records = try names.compactMap { name in try read(name).map { (name: name, record: $0) } }
    if records.isEmpty || !Files.exists(path) { return nil }
    let content = try DataFingerprint(paths: [path])
    return records.first { $0.record.forecast?.content.isSame(as: content) == true }
  }

  /// Gives the record of a file the name that it lacks since its writer was stopped; for whoever holds the lock of the file.
  public static func recoverBeside(_ path: String) throws {
    guard let name = try describing(path)?.name, name != sidecar(path) else { return }
    try Files.rename(name, to: sidecar(path))
  }

  /// Writes the record of a file that is to be at `path`.
  /// - Returns: its temporary name.
  public func writeTemporarilyBeside(_ path: String) throws -> String {
    let text = try json(pretty: true) + "\n"
    return try Array(text.utf8).withUnsafeBytes { try Files.writeTemporarily($0, for: Lineage.sidecar(path)) }
  }
}
