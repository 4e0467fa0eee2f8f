/// Names from files and configurations that become names of files.
public enum SafeName {
  /// The problem with a name of one file or with a key of several, joined by "/"; nil when it stays below its folder.
  public static func problem(_ name: String) -> String? {
    if name.isEmpty { return "is empty" }
    if name.utf8.count > longestKey { return "is longer than \(longestKey) bytes" }
    if name.unicodeScalars.contains(where: { $0.properties.generalCategory == .control }) {
      return "has a control character"
    }
    // Bytes, since a slash and an accent make one Character.
    for part in name.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false) {
      if part.isEmpty { return "has an empty part or begins or ends with '/'" }
      if part.count > longestPart { return "has a part of more than \(longestPart) bytes" }
      let text = String(decoding: part, as: UTF8.self)
      if text == "." || text == ".." { return "leads out of its folder" }
      let stem = String(text.prefix { $0 != "." }.reversed().drop { $0 == " " }.reversed()).uppercased()
      if devices.contains(stem) { return "is the name of a device on some systems" }
    }
    return nil
  }

  /// - Parameter kind: "array", "variable".
  /// - Throws: naming the place and the name.
  public static func require(_ name: String, _ kind: String, place: String) throws {
    guard let problem = problem(name) else { return }
    throw JigsawError(
      place, "has the \(kind) '\(name.prefix(80))', whose name \(problem)",
      expected: "a name that stays in its folder, without control characters", remedy: "choose another name")
  }

  /// Limits of file systems: 255 bytes of a name, 4096 of a path.
  private static let longestPart = 250
  private static let longestKey = 1_024
  private static let devices: Set<String> = Set(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
      + "123456789¹²³".flatMap { ["COM\($0)", "LPT\($0)"] })
}
