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

/// For one line of a terminal, or a sentence: line breaks and tabs are shown as well, and what is longer than any name is cut off.
public func lineText(_ text: String, atMost limit: Int = 1_000) -> String {
  let scalars = text.unicodeScalars
  let isLong =
    scalars.index(scalars.startIndex, offsetBy: limit, limitedBy: scalars.endIndex).map { $0 < scalars.endIndex }
    ?? false
  let kept = isLong ? String(scalars.prefix(limit)) + "…" : text
  return terminalText(kept).replacing("\n", with: "\\x0a").replacing("\t", with: "\\x09")
}

private func isSentEscaped(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar {
  case "\n", "\t": false
  // Marks that turn the direction of writing can make one text look like another.
  case "\u{202A}"..."\u{202E}", "\u{2066}"..."\u{2069}": true
  // XML has no place for these.
  case "\u{FFFE}", "\u{FFFF}": true
  default: scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
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

/// Text without the user names and passwords of addresses in it: "https://***@host/store". Where an address can't be told from what
/// follows, too much is left out rather than too little.
public func withoutUserInformation(_ text: String) -> String {
  guard text.contains("@") else { return text }
  var result = ""
  var rest = text[...]
  while let colon = rest.firstIndex(of: ":") {
    let before = rest[..<colon]
    rest = rest[rest.index(after: colon)...]
    let slashes = rest.prefix { $0 == "/" }
    rest = rest[slashes.endIndex...]
    result += "\(before):\(slashes)"
    guard slashes.count >= 2 || schemes.contains(where: before.lowercased().hasSuffix) else { continue }
    if let at = endOfUserInformation(rest) {
      result += "***"
      rest = rest[at...]
    }
  }
  return result + rest
}

private let schemes = ["http", "https", "s3", "gs"]

/// The @ behind user name and password of an address that begins here. Passwords may have quotes; with a slash or a blank in one the
/// address is of no use, but it may be that of an error.
private func endOfUserInformation(_ text: Substring) -> Substring.Index? {
  let line = text.prefix { $0 != "\n" }
  let authority = line.prefix { !"/?# \t".contains($0) }
  if let at = authority.lastIndex(of: "@") { return at }
  guard let colon = authority.firstIndex(of: ":") else { return nil }
  let port = authority[authority.index(after: colon)...].prefix { !"'\",;.)".contains($0) }
  return port.isEmpty || !port.allSatisfy(\.isNumber) ? line.lastIndex(of: "@") : nil
}
