/// A cell of a CSV file, in quotes where its text needs them (RFC 4180). Text that spreadsheets would take for a formula gets an
/// apostrophe before it, which `csvCells` takes away; numbers are given to files without this function.
public func csvCell(_ text: String) -> String {
  let isFormula = text.unicodeScalars.first.map { "=+-@\t\r".unicodeScalars.contains($0) } ?? false
  let text = isFormula || text.hasPrefix("'") ? "'" + text : text
  guard isFormula || text.unicodeScalars.contains(where: { ",\"\n\r".unicodeScalars.contains($0) }) else { return text }
  return "\"" + text.replacing("\"", with: "\"\"") + "\""
}

/// The rows of a CSV file, without the quotes of their cells; a cell in quotes may have line breaks. What follows the last line break
/// is left out, and so are empty lines.
public func csvRows(_ text: String) -> [[Substring]] {
  var rows: [[Substring]] = []
  var start = text.startIndex
  var isQuoted = false
  let scalars = text.unicodeScalars
  for index in scalars.indices {
    if scalars[index] == "\"" { isQuoted.toggle() }
    guard scalars[index] == "\n", !isQuoted else { continue }
    if start < index { rows.append(csvCells(text[start..<index])) }
    start = scalars.index(after: index)
  }
  return rows
}

/// The cells of a line of a CSV file, without their quotes.
func csvCells(_ line: Substring) -> [Substring] {
  if !line.contains("\"") { return line.split(separator: ",", omittingEmptySubsequences: false).map(withoutMark) }
  var cells: [Substring] = []
  var cell = ""
  var (isQuoted, wasQuote) = (false, false)
  for character in line {
    if character == "\"" {
      if isQuoted {
        (isQuoted, wasQuote) = (false, true)
      } else {
        // Two in a row stand for one.
        if wasQuote { cell.append(character) }
        (isQuoted, wasQuote) = (true, false)
      }
    } else if character == "," && !isQuoted {
      cells.append(withoutMark(Substring(cell)))
      (cell, wasQuote) = ("", false)
    } else {
      cell.append(character)
      wasQuote = false
    }
  }
  cells.append(withoutMark(Substring(cell)))
  return cells
}

/// Without the apostrophe that `csvCell` sets before a formula.
private func withoutMark(_ cell: Substring) -> Substring { cell.hasPrefix("'") ? cell.dropFirst() : cell }
