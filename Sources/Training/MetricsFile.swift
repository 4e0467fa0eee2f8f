import Basics

/// A CSV file that grows by one row at a time and is continued after a restart.
public final class MetricsFile {
  private let file: OutputFile
  private let columns: [String]

  /// - Parameter lastUpdate: when resuming, rows of later updates (first column) are removed: they will come again. So is a row
  ///   that was cut short when the process was killed.
  public init(_ path: String, columns: [String], lastUpdate: Int?) throws {
    self.columns = columns
    let header = columns.map(csvCell).joined(separator: ",") + "\n"
    if let lastUpdate, Files.exists(path) {
      let text = try Files.readText(path)
      let lines = (text.hasSuffix("\n") ? text[...] : text[..<(text.lastIndex(of: "\n") ?? text.startIndex)])
        .split(separator: "\n")
      func cells(_ line: Substring) -> [Substring] { line.split(separator: ",", omittingEmptySubsequences: false) }
      let count = lines.first.map { cells($0).count }
      let kept = lines.dropFirst().filter { line in
        guard let update = cells(line).first.flatMap({ Int($0) }), cells(line).count == count else { return false }
        return update <= lastUpdate
      }
      try Files.writeAtomically(header + kept.map { $0 + "\n" }.joined(), to: path)
    } else {
      try Files.writeAtomically(header, to: path)
    }
    file = try OutputFile(appendingTo: path)
  }

  public func append(_ values: [Double]) throws {
    precondition(values.count == columns.count)
    try file.write(values.map(MetricsFile.text).joined(separator: ",") + "\n")
  }

  /// Whole numbers without fraction; empty when not a number.
  static func text(_ value: Double) -> String {
    if value.isNaN { return "" }
    return Int(exactly: value).map(String.init) ?? String(Float(value))
  }
}
