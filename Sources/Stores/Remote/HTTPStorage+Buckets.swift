import Basics
import CCurl

// Requests and answers of object stores beyond plain HTTP.
extension HTTPStorage {
  /// Names of one folder.
  private static let nameLimit = 100_000
  /// Pages of a thousand names each, and as many without a new one as servers may have reason to send.
  private static let (pageLimit, idlePageLimit) = (1_000, 10)

  public func list(_ key: String) throws -> [String] {
    guard let bucket else {
      throw JigsawError(
        place(key), "can't be listed over HTTP", expected: "consolidated metadata",
        remedy: "consolidate the store, or copy it here")
    }
    let prefix = bucket.prefix + (key.isEmpty ? "" : key + "/")
    var names: Set<String> = []
    var next: String?
    var idlePages = 0
    for _ in 0..<HTTPStorage.pageLimit {
      // Sorted by name, as the signature wants them.
      let parts =
        (next.map { [("continuation-token", $0)] } ?? [])
        + [("delimiter", "/"), ("encoding-type", "url"), ("list-type", "2"), ("prefix", prefix)]
      let query = parts.map { "\($0)=\(HTTPStorage.escaped($1, slashes: true))" }.joined(separator: "&")
      let answer = try get(
        "\(bucket.address)?\(query)", place(key), nil, limit: documentLimit, refusalIsNone: false)
      guard let answer, let page = ObjectPage(answer.bytes) else {
        throw JigsawError(
          place(key), "can't be listed", expected: "a list of names",
          found: answer == nil ? "no such bucket" : "another answer", remedy: "check the name of the bucket")
      }
      let known = names.count
      for name in page.keys where name.hasPrefix(prefix) {
        if let entry = name.dropFirst(prefix.count).split(separator: "/").first { names.insert(String(entry)) }
      }
      next = page.next
      if next == nil { return names.sorted() }
      idlePages = names.count == known ? idlePages + 1 : 0
      if idlePages > HTTPStorage.idlePageLimit || names.count > HTTPStorage.nameLimit { break }
    }
    throw JigsawError(
      place(key), "has too many names, or a list of them without end", expected: "at most \(HTTPStorage.nameLimit)",
      remedy: "consolidate the store's metadata")
  }

  /// The meaning of an answer without a value, and what to do.
  func refusal(_ status: Int, _ response: jk_curl_response, _ remedy: String) -> (String, String) {
    let problem = "the server answered with status \(status)"
    guard let bucket else { return (problem, remedy) }
    let region = withUnsafeBytes(of: response.region) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    if !region.isEmpty, region != bucket.region, bucket.keys != nil || status < 400 {
      return ("\(problem): the bucket is in the region \(region)", "set AWS_REGION=\(region)")
    }
    if status == 401 || status == 403 {
      return (
        "\(problem): no right to read it or, where the bucket may not be listed, no such object",
        bucket.keys == nil
          ? "give keys by AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
          : "check the keys; for a public bucket set AWS_NO_SIGN_REQUEST=YES"
      )
    }
    return (problem, remedy)
  }
}
