/// A cell of a CSV file, in quotes where its text needs them (RFC 4180).
public func csvCell(_ text: String) -> String {
  guard text.contains(where: { ",\"\n\r".contains($0) }) else { return text }
  return "\"" + text.replacing("\"", with: "\"\"") + "\""
}

/// The cells of a line of a CSV file, without their quotes.
public func csvCells(_ line: Substring) -> [Substring] {
  if !line.contains("\"") { return line.split(separator: ",", omittingEmptySubsequences: false) }
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
      cells.append(Substring(cell))
      (cell, wasQuote) = ("", false)
    } else {
      cell.append(character)
      wasQuote = false
    }
  }
  cells.append(Substring(cell))
  return cells
}
