import Basics

/// A table, for the page and as a file of its own.
struct Table {
  var header: [String]
  var rows: [[String]] = []

  var markdown: String {
    let line = { (cells: [String]) in "| " + cells.joined(separator: " | ") + " |" }
    let rule = "|---|" + String(repeating: "---:|", count: header.count - 1)
    return ([line(header), rule] + rows.map(line)).joined(separator: "\n")
  }

  var csv: String {
    func cell(_ text: String) -> String {
      let plain = text.filter { $0 != "*" }
      return plain.contains(",") ? "\"\(plain)\"" : plain
    }
    return ([header] + rows).map { $0.map(cell).joined(separator: ",") + "\n" }.joined()
  }
}

/// A page with places that are generated: between `<!-- NAME: begin -->` and `<!-- NAME: end -->`.
struct Page {
  private let path: String
  private var text: String

  init(_ path: String) throws {
    self.path = path
    text = try Files.readText(path)
  }

  mutating func replace(_ name: String, with content: String) throws {
    let (begin, end) = ("<!-- \(name): begin -->\n", "<!-- \(name): end -->")
    guard let from = text.firstRange(of: begin), let to = text[from.upperBound...].firstRange(of: end) else {
      throw JigsawError(path, "has no place for '\(name)'", expected: "\(begin.dropLast()) … \(end)")
    }
    text.replaceSubrange(from.upperBound..<to.lowerBound, with: content + "\n")
  }

  func write() throws { try Files.writeAtomically(text, to: path) }
}
