import Basics

/// A CSV file that this program wrote: a header, then rows of as many cells.
struct CSVTable {
  let path: String
  let rows: [[Substring]]
  private let index: [Substring: Int]

  /// Names of the columns, in order.
  let columns: [String]

  init(_ path: String) throws {
    self.path = path
    let text = try Files.readText(path)
    // A training that is still running may be in the middle of its last line, which is left out.
    let lines = csvRows(text)
    guard let header = lines.first else {
      throw JigsawError(path, "is empty", expected: "a header and rows")
    }
    columns = header.map(String.init)
    index = Dictionary(header.enumerated().map { ($1, $0) }) { first, _ in first }
    rows = Array(lines.dropFirst())
    for (number, row) in rows.enumerated() where row.count != header.count {
      throw JigsawError(
        "\(path):\(number + 2)", "has the wrong number of cells", expected: "\(header.count)", found: "\(row.count)",
        remedy: "the file is damaged; make it again")
    }
  }

  private static let largest = 1_000_000_000_000

  /// The cells of a column.
  func texts(_ column: String) throws -> [Substring] {
    guard let position = index[Substring(column)] else {
      throw JigsawError(
        path, "has no column '\(column)'", found: columns.joined(separator: ", "),
        remedy: "the file is of another version; make it again")
    }
    return rows.map { $0[position] }
  }

  /// NaN for empty cells.
  func numbers(_ column: String) throws -> [Double] {
    try texts(column).enumerated().map { row, text in
      if text.isEmpty { return .nan }
      guard let value = Double(text) else {
        throw JigsawError("\(path):\(row + 2): \(column)", "is not a number", found: "'\(text)'")
      }
      return value
    }
  }

  /// Numbers with which sums and differences can't overflow.
  func integers(_ column: String) throws -> [Int] {
    try texts(column).enumerated().map { row, text in
      guard let value = Int(text), value.magnitude <= CSVTable.largest else {
        throw JigsawError(
          "\(path):\(row + 2): \(column)", "is not a whole number", expected: "at most \(CSVTable.largest)",
          found: "'\(text)'")
      }
      return value
    }
  }
}
