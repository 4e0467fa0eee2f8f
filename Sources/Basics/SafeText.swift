// Text from files and configurations as other programs take it: one function for each of them.

/// For a terminal: control characters are shown (\x1b), but for line breaks and tabs.
public func terminalText(_ text: String) -> String {
  guard text.unicodeScalars.contains(where: isSentEscaped) else { return text }
  var result = ""
  for scalar in text.unicodeScalars {
    if isSentEscaped(scalar) { result += escape(scalar) } else { result.unicodeScalars.append(scalar) }
  }
  return result
}

private func isSentEscaped(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar {
  case "\n", "\t": false
  // Marks that turn the direction of writing can make one text look like another.
  case "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}": true
  default: scalar.properties.generalCategory == .control
  }
}

private func escape(_ scalar: Unicode.Scalar) -> String {
  let digits = String(scalar.value, radix: 16)
  return scalar.value < 256 ? "\\x" + (digits.count < 2 ? "0" : "") + digits : "\\u{\(digits)}"
}

/// For HTML and SVG: safe between tags and in quoted attributes. Control characters, which XML forbids, are shown.
public func markupText(_ text: String) -> String {
  var result = ""
  for scalar in terminalText(text).unicodeScalars {
    switch scalar {
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\"": result += "&quot;"
    case "'": result += "&#39;"
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// For Markdown, cells of tables included: characters with a meaning get a backslash or an entity, line breaks become spaces.
public func markdownText(_ text: String) -> String {
  var result = ""
  for scalar in terminalText(text).unicodeScalars {
    switch scalar {
    case "\n", "\t": result += " "
    case "&": result += "&amp;"
    case "<": result += "&lt;"
    case ">": result += "&gt;"
    case "\\", "`", "*", "[", "]", "|", "!", "#": result += "\\" + String(scalar)
    default: result.unicodeScalars.append(scalar)
    }
  }
  return result
}

/// Text without the user names and passwords of addresses in it: "https://***@host/store".
public func withoutUserInformation(_ text: String) -> String {
  guard text.contains("://"), text.contains("@") else { return text }
  var result = ""
  var rest = text[...]
  while let mark = rest.firstRange(of: "://") {
    result += rest[..<mark.upperBound]
    rest = rest[mark.upperBound...]
    let authority = rest.prefix { !"/?# \n\t\"'".contains($0) }
    if let at = authority.lastIndex(of: "@") {
      result += "***"
      rest = rest[at...]
    }
  }
  return result + rest
}
