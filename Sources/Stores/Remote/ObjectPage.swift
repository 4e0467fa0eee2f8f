/// One answer of an object store that was asked what lies below a place (ListObjectsV2 of S3, which Google's XML API
/// has too), with names percent-encoded.
struct ObjectPage {
  /// Whole keys: of objects, and of what has more below it, with a slash at its end.
  let keys: [String]
  /// The token that asks for the next page; nil after the last.
  let next: String?

  /// Nil if this is no such answer.
  init?(_ body: [UInt8]) {
    guard let text = String(validating: body, as: UTF8.self), text.contains("<ListBucketResult"),
      text.contains("</ListBucketResult>")
    else { return nil }
    var keys: [String] = []
    for object in ObjectPage.elements("Contents", text[...]) {
      guard let key = ObjectPage.elements("Key", object).first.flatMap(ObjectPage.decoded) else { return nil }
      keys.append(key)
    }
    for folder in ObjectPage.elements("CommonPrefixes", text[...]) {
      guard let key = ObjectPage.elements("Prefix", folder).first.flatMap(ObjectPage.decoded) else { return nil }
      keys.append(key)
    }
    self.keys = keys
    let isTruncated = ObjectPage.elements("IsTruncated", text[...]).first == "true"
    next = ObjectPage.elements("NextContinuationToken", text[...]).first.map(ObjectPage.unescaped)
    if isTruncated && next == nil { return nil }
  }

  /// The texts between the tags of a name, from first to last.
  private static func elements(_ name: String, _ text: Substring) -> [Substring] {
    var found: [Substring] = []
    var rest = text
    while let start = rest.firstRange(of: "<\(name)>") {
      rest = rest[start.upperBound...]
      guard let end = rest.firstRange(of: "</\(name)>") else { break }
      found.append(rest[..<end.lowerBound])
      rest = rest[end.upperBound...]
    }
    return found
  }

  private static func unescaped(_ text: Substring) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&#39;", "'"), ("&amp;", "&")]
    return entities.reduce(String(text)) { text, entity in
      text.split(separator: entity.0, omittingEmptySubsequences: false).joined(separator: entity.1)
    }
  }

  /// Nil for what is not percent-encoded UTF-8.
  private static func decoded(_ text: Substring) -> String? {
    var bytes: [UInt8] = []
    var rest = Array(unescaped(text).utf8)[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%") {
        guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
          return nil
        }
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
      }
    }
    return String(validating: bytes, as: UTF8.self)
  }
}
