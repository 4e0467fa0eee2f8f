import Basics
import CCurl
import Synchronization

#if canImport(Glibc)
  import Glibc
#endif

/// Values as resources of a web server or object store below a URL. What breaks off, stays silent or is refused for the
/// moment is asked for again, with growing pauses; what remains incomplete is an error.
public struct HTTPStorage: Storage {
  /// Without user name and password.
  public let location: String
  /// The address that keys are added to.
  let base: String
  let bucket: Bucket?
  private let retries: Retries
  private let workers = WorkerPool(threads: HTTPStorage.requestsAtOnce)
  private static let requestsAtOnce = 16

  /// A bucket, which can be listed, and asked with a signature.
  struct Bucket {
    /// The address, with the bucket's name in the host or as the only folder.
    let address: String
    /// The prefix of all keys of the store; "" or with a slash at its end.
    let prefix: String
    var keys: S3Settings.Keys?
    var region = "us-east-1"
  }

  /// When an attempt is given up and when the next one follows.
  public struct Retries: Sendable {
    public var attempts = 6
    /// Before the second attempt; it doubles each time.
    public var firstPauseSeconds = 0.25
    public var silenceSeconds = 30
    /// Longest time of one attempt, however steadily bytes arrive.
    public var totalSeconds = 6 * 3600

    public init() {}
  }

  /// The largest value that is taken where nothing says how long it may be.
  private static let valueLimit = 5 << 30

  /// - Parameter address: http:// or https://; s3://bucket/path, asked with the keys and at the place that Amazon's own tools
  ///   would take (`S3Settings`), without signature if there are no keys; gs://bucket/path of public buckets.
  public init(_ address: String, retries: Retries = Retries()) throws {
    self.retries = retries
    guard let (scheme, given) = HTTPStorage.split(address), let name = given.split(separator: "/").first else {
      throw JigsawError(address, "is not an address", expected: "http://, https://, s3:// or gs:// and a place")
    }
    var place = given
    while place.last == "/" { place.removeLast() }
    location = withoutUserInformation("\(scheme)://\(place)")
    switch scheme {
    case "http", "https":
      guard !place.contains(where: { "?#".contains($0) }) else {
        throw JigsawError(
          address, "has a query or a fragment", expected: "the address of a folder, to which names can be added")
      }
      // A run's folder has a mask in place of them; then they are taken from ~/.netrc.
      let isMasked = place.hasPrefix("***@")
      base = "\(scheme)://\(isMasked ? String(place.dropFirst(4)) : place)"
      bucket = nil
      return
    case "gs", "s3": break
    default:
      throw JigsawError(address, "is of a kind that can't be read", expected: "http://, https://, s3:// or gs://")
    }
    let path = String(place.dropFirst(name.count).drop { $0 == "/" })
    let prefix = path.isEmpty ? "" : path + "/"
    let escapedName = HTTPStorage.escaped(String(name))
    if scheme == "gs" {
      bucket = Bucket(address: "https://storage.googleapis.com/\(escapedName)", prefix: prefix)
    } else {
      let settings = try S3Settings()
      bucket = Bucket(
        address: try settings.address(bucket: escapedName), prefix: prefix, keys: settings.keys,
        region: settings.region ?? "us-east-1")
    }
    base = bucket.map { $0.address + (path.isEmpty ? "" : "/" + HTTPStorage.escaped(path)) } ?? location
  }

  private static func split(_ address: String) -> (scheme: String, rest: String)? {
    guard let colon = address.firstRange(of: "://") else { return nil }
    return (String(address[..<colon.lowerBound]), String(address[colon.upperBound...]))
  }

  /// Whether a path is the address of something remote.
  public static func isAddress(_ path: String) -> Bool { split(path) != nil }

  // MARK: Reading

  public func read(_ key: String) throws -> [UInt8]? { try read(key, nil, limit: HTTPStorage.valueLimit)?.bytes }

  /// Where a bucket may not be listed, S3 answers 403 for what is not there. A document that can't be had counts as none, so that
  /// one of another format is looked for; a chunk is an error, since its numbers would be made up.
  public func readDocument(_ key: String) throws -> [UInt8]? {
    try get(url(key), place(key), nil, limit: documentLimit, refusalIsNone: bucket != nil)?.bytes
  }

  public func read(_ key: String, _ part: ByteRange) throws -> PartOfValue? {
    try read(key, part, limit: HTTPStorage.valueLimit)
  }

  public func read(_ key: String, _ part: ByteRange?, limit: Int) throws -> PartOfValue? {
    func get(_ part: ByteRange?) throws -> PartOfValue? {
      try self.get(url(key), place(key), part, limit: limit, refusalIsNone: false)
    }
    switch part {
    // An empty range can't be asked for; one byte tells the length.
    case .range(let range) where range.isEmpty:
      return try get(.range(0..<1)).map { PartOfValue(bytes: [], length: $0.length) }
    case .last(let count) where count <= 0:
      return try get(.range(0..<1)).map { PartOfValue(bytes: [], length: $0.length) }
    default: return try get(part)
    }
  }

  /// So that the first are used while the last arrive.
  public var valuesAtOnce: Int { 2 * HTTPStorage.requestsAtOnce }

  public func read(_ keys: [String], limit: Int) throws -> [[UInt8]?] {
    let results = Mutex([Result<[UInt8]?, any Error>?](repeating: nil, count: keys.count))
    workers.run(keys.count) { index in
      let result = Result { try read(keys[index], nil, limit: limit)?.bytes }
      results.withLock { $0[index] = result }
    }
    return try results.withLock { try $0.map { try $0?.get() ?? nil } }
  }

  private func url(_ key: String) -> String { "\(base)/\(HTTPStorage.escaped(key))" }

  /// - Returns: nil when the server says that there is nothing.
  func get(
    _ url: String, _ place: String, _ part: ByteRange?, limit: Int, refusalIsNone: Bool
  ) throws -> PartOfValue? {
    let range: String? =
      switch part {
      case .range(let range): "\(range.lowerBound)-\(range.upperBound - 1)"
      case .last(let count): "-\(count)"
      case nil: nil
      }
    var remedy = "check the address and the network, then try again"
    var problem = ""
    for attempt in 0..<max(1, retries.attempts) {
      var response = jk_curl_response()
      send(url, range, limit, &response)
      defer { jk_curl_release(&response) }
      let status = response.status
      problem = withUnsafeBytes(of: response.problem) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
      var isWrongAnswer = false
      if problem.isEmpty {
        switch status {
        case 200...299:
          let bytes = Array(UnsafeRawBufferPointer(start: response.body, count: response.length))
          switch HTTPStorage.answer(bytes, status, part, first: Int(response.first), total: Int(response.total)) {
          case .success(let found): return found
          case .failure(let wrong):
            problem = wrong.what
            isWrongAnswer = true
          }
        case 404, 410: return nil
        case 403 where refusalIsNone: return nil
        case 416: return PartOfValue(bytes: [], length: max(0, Int(response.total)))
        default: (problem, remedy) = refusal(status, response, remedy)
        }
      }
      let mayPass = response.is_transient || [408, 425, 429, 500, 502, 503, 504].contains(status) || isWrongAnswer
      guard mayPass, attempt + 1 < retries.attempts else { break }
      // Jitter keeps many ranks from coming back at once.
      let pause = retries.firstPauseSeconds * Double(1 << attempt) * Double.random(in: 0.75...1.25)
      usleep(UInt32(1e6 * min(30, max(pause, response.retry_after))))
    }
    throw JigsawError(place, "can't be read", found: problem, remedy: remedy)
  }

  private func send(_ url: String, _ range: String?, _ limit: Int, _ response: inout jk_curl_response) {
    guard let bucket, let keys = bucket.keys else {
      return jk_curl_get(url, range, limit, retries.silenceSeconds, retries.totalSeconds, nil, &response)
    }
    let host = HTTPStorage.split(bucket.address)?.rest.split(separator: "/").first.map(String.init) ?? ""
    func send(_ token: UnsafePointer<CChar>?) {
      keys.key.withCString { key in
        keys.secret.withCString { secret in
          bucket.region.withCString { region in
            host.withCString { host in
              var signature = jk_curl_signature(key: key, secret: secret, token: token, region: region, host: host)
              jk_curl_get(url, range, limit, retries.silenceSeconds, retries.totalSeconds, &signature, &response)
            }
          }
        }
      }
    }
    if let token = keys.token { token.withCString(send) } else { send(nil) }
  }

  private struct Wrong: Error { let what: String }

  /// The value in an answer, if it is the requested one.
  private static func answer(
    _ bytes: [UInt8], _ status: Int, _ part: ByteRange?, first: Int, total: Int
  ) -> Result<PartOfValue, Wrong> {
    guard let part else { return .success(PartOfValue(bytes: bytes, length: bytes.count)) }
    // A server that knows no ranges sends all of it.
    if status != 206 { return .success(PartOfValue(bytes, part)) }
    guard total >= 0, first >= 0 else { return .failure(Wrong(what: "an answer that does not say which bytes it has")) }
    let expected = part.range(total)
    guard first == expected.lowerBound, bytes.count == expected.count else {
      return .failure(
        Wrong(what: "\(bytes.count) bytes from \(first) in place of \(expected.count) from \(expected.lowerBound)"))
    }
    return .success(PartOfValue(bytes: bytes, length: total))
  }

  /// Percent-encoded but for what may stand in a path (RFC 3986).
  static func escaped(_ text: String, slashes: Bool = false) -> String {
    let plain = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~".utf8)
    return text.utf8.map { byte in
      plain.contains(byte) || byte == UInt8(ascii: "/") && !slashes
        ? String(UnicodeScalar(byte)) : "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
    }.joined()
  }
}

/// The version of libcurl that is loaded.
public var curlVersion: String { String(cString: jk_curl_version()) }
