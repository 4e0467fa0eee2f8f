import Basics
import Yams

/// The first document of a text, nil where it is empty. What strangers may have written is bounded before values are made of it.
///
/// - Throws: `YamlError` for what is not YAML; for too many values, and a zero byte in one.
func compose(_ text: String, _ place: String) throws -> Node? {
  guard !hasAliasesInKeys(text) else {
    throw JigsawError(
      place, "has an alias beside keys that are no plain words", expected: "words or numbers as keys",
      remedy: "write such keys out")
  }
  let root = try Yams.compose(yaml: text)
  if let root { try requirePlain(root, place) }
  return root
}

/// Keys are compared by all that they hold, and few lines of aliases can hold more than can ever be compared.
private func hasAliasesInKeys(_ text: String) -> Bool {
  let plain = withoutQuotesAndComments(text)
  guard plain.contains(/(^|[\s\[{,])\*\S/) else { return false }
  return plain.contains(/(^|[\s\[{,])\?(\s|$)/) || plain.contains(/((^|[\s\[{,])\*[^\s,\[\]{}]*|[\]}])\s*:(\s|$)/)
}

private func withoutQuotesAndComments(_ text: String) -> String {
  var (result, quote, isComment) = ("", nil as Unicode.Scalar?, false)
  var before: Unicode.Scalar = "\n"
  for scalar in text.unicodeScalars {
    defer { before = scalar }
    if scalar == "\n" { isComment = false }
    if isComment { continue }
    if let open = quote {
      if scalar == open && before != "\\" { quote = nil }
      continue
    }
    // Within a word an apostrophe quotes nothing.
    let beginsWord = before.properties.isWhitespace || "[{,:".unicodeScalars.contains(before)
    if beginsWord, scalar == "'" || scalar == "\"" {
      quote = scalar
    } else if beginsWord, scalar == "#" {
      isComment = true
    } else {
      result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// Aliases stand for all that they name: few lines can stand for more values than memory holds. A path with a zero byte is another one
/// for the system than for whoever reads it.
private func requirePlain(_ root: Node, _ place: String) throws {
  let limit = 100_000
  var count = 0
  var found: String?
  func add(_ node: Node) {
    count += 1
    if count > limit { return }
    switch node {
    case .mapping(let mapping):
      for (key, value) in mapping where count <= limit {
        add(key)
        add(value)
      }
    case .sequence(let sequence): for value in sequence where count <= limit { add(value) }
    case .scalar(let scalar):
      if scalar.string.utf8.contains(0) { found = found ?? scalar.string }
    default: break
    }
  }
  add(root)
  if count > limit {
    throw JigsawError(
      place, "has too many values", expected: "at most \(limit), each alias counted with all that it names")
  }
  if let found {
    throw JigsawError(
      place, "has a zero byte in a value", found: "'\(found.prefix(80))'", remedy: "remove it")
  }
}

func notYAML(_ error: YamlError, _ file: String) -> JigsawError {
  switch error {
  case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
    .composer(_, let problem, let mark, _):
    JigsawError(
      "\(file):\(mark.line)", "is not YAML (\(problem))",
      remedy: "look at quotes, colons, brackets and indentation in this line and the one before")
  case .duplicatedKeysInMapping(let duplicates, let context):
    JigsawError(
      "\(file):\(context.mark.line)", "gives the setting '\(duplicates.joined(separator: ", "))' twice",
      remedy: "remove one of them")
  default: JigsawError(file, "is not YAML")
  }
}
