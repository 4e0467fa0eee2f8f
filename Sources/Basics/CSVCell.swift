/// A cell of a CSV file, in quotes where its text needs them (RFC 4180). Text that spreadsheets would take for a formula gets an
/// apostrophe before it, which `csvCells` takes away; numbers are given to files without this function.
public func csvCell(_ text: String) -> String {
  let isFormula = text.unicodeScalars.first.map { "=+-@\t\r".unicodeScalars.contains($0) } ?? false
  let text = isFormula || text.unicodeScalars.first == "'" ? "'" + text : text
  guard isFormula || text.unicodeScalars.contains(where: { ",\"\n\r".unicodeScalars.contains($0) }) else { return text }
  var cell = "\""
  for scalar in text.unicodeScalars {
    if scalar == "\"" { cell += "\"" }
    cell.unicodeScalars.append(scalar)
  }
  return cell + "\""
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

/// The cells of a line of a CSV file, without their quotes. Scalars, since a comma and an accent make one Character.
func csvCells(_ line: Substring) -> [Substring] {
  let scalars = line.unicodeScalars
  if !scalars.contains("\"") {
    return scalars.split(separator: ",", omittingEmptySubsequences: false).map { withoutMark(Substring($0)) }
  }
  var cells: [Substring] = []
  var cell = Substring.UnicodeScalarView()
  var (isQuoted, wasQuote) = (false, false)
  for scalar in scalars {
    if scalar == "\"" {
      if isQuoted {
        (isQuoted, wasQuote) = (false, true)
      } else {
        // Two in a row stand for one.
        if wasQuote { cell.append(scalar) }
        (isQuoted, wasQuote) = (true, false)
      }
    } else if scalar == "," && !isQuoted {
      cells.append(withoutMark(Substring(cell)))
      (cell, wasQuote) = (Substring.UnicodeScalarView(), false)
    } else {
      cell.append(scalar)
      wasQuote = false
    }
  }
  cells.append(withoutMark(Substring(cell)))
  return cells
}

/// Without the apostrophe that `csvCell` sets before a formula.
private func withoutMark(_ cell: Substring) -> Substring {
  cell.unicodeScalars.first == "'" ? Substring(cell.unicodeScalars.dropFirst()) : cell
}
