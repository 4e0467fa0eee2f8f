#if canImport(Glibc)
  import Glibc
#endif

/// Names under which outputs are written until they are complete: `OUTPUT.PROCESS-RANDOM.tmp`, beside the output, so that a
/// rename gives them their name. No two writers choose the same, and nobody can plant a link at a name they can't foresee.
public enum Temporary {
  private static let ending = ".tmp"

  public static func name(for path: String) -> String { "\(path).\(unique())\(ending)" }

  /// The process and a random number: a part of a name that no other writer chooses.
  static func unique() -> String {
    let number = String(UInt64.random(in: 0 ... .max), radix: 16)
    return "\(getpid())-" + String(repeating: "0", count: 16 - number.count) + number
  }

  /// Whether `suffix`, what follows an output's name, is that of a temporary name with this ending.
  private static func isOurs(_ suffix: Substring, _ ending: String) -> Bool {
    guard suffix.hasPrefix("."), suffix.hasSuffix(ending), suffix.count > ending.count else { return false }
    let parts = suffix.dropFirst().dropLast(ending.count).split(separator: "-", omittingEmptySubsequences: false)
    return parts.count == 2 && Int32(parts[0]) != nil && parts[1].count == 16 && UInt64(parts[1], radix: 16) != nil
  }

  /// Whether a file or folder of this name was being written, whatever the output.
  public static func isOne(_ name: String) -> Bool {
    name.indices.contains { name[$0] == "." && $0 != name.startIndex && isOurs(name[$0...], ending) }
  }

  /// Temporary files and folders of an output that were left behind, sorted. Only whoever holds the output's lock knows that
  /// nobody is writing them. Links are none.
  public static func abandoned(of path: String) throws -> [String] { try siblings(of: path, ending) }

  static func siblings(of path: String, _ ending: String) throws -> [String] {
    let folder = Files.parent(of: path)
    guard Files.isDirectory(folder) else { return [] }
    let name = path.split(separator: "/", omittingEmptySubsequences: false).last ?? ""
    return try Files.list(folder).compactMap { other in
      guard other.hasPrefix(name), isOurs(other.dropFirst(name.count), ending) else { return nil }
      let place = path.contains("/") ? "\(folder == "/" ? "" : folder)/\(other)" : other
      return Files.isLink(place) ? nil : place
    }
  }

  /// Removes what killed writers of outputs left behind; for whoever holds their lock.
  public static func removeAbandoned(of paths: String...) throws {
    for path in paths {
      for name in try abandoned(of: path) { try Files.remove(name) }
    }
  }
}
