import Basics

#if canImport(Glibc)
  import Glibc
#endif

/// Where S3 is and who asks, from the variables and files that Amazon's own tools use.
struct S3Settings: Sendable, Equatable {
  var keys: Keys?
  var region: String?
  /// The address of another service than Amazon's, without a slash at its end.
  var endpoint: String?

  struct Keys: Sendable, Equatable {
    let key, secret: String
    /// The token of temporary keys.
    let token: String?
  }

  /// - Parameter environment: a variable's value; empty ones count as none.
  /// - Throws: `JigsawError` if AWS_PROFILE names a profile that is not there, or whose keys have to be asked for.
  init(environment: (String) -> String? = S3Settings.variable) throws {
    let home = environment("HOME") ?? ""
    let named = environment("AWS_PROFILE")
    let profile = named ?? "default"
    let credentialsFile = environment("AWS_SHARED_CREDENTIALS_FILE") ?? "\(home)/.aws/credentials"
    let configurationFile = environment("AWS_CONFIG_FILE") ?? "\(home)/.aws/config"
    let credentials = try S3Settings.sections(credentialsFile)[profile]
    let sections = try S3Settings.sections(configurationFile)
    let configuration = sections["profile \(profile)"] ?? (profile == "default" ? sections["default"] : nil)
    if let named, credentials == nil, configuration == nil {
      throw JigsawError(
        "AWS_PROFILE", "names a profile that is not there",
        expected: "one of \(credentialsFile) or \(configurationFile)",
        found: named)
    }
    func value(_ name: String) -> String? { credentials?[name] ?? configuration?[name] }

    region = environment("AWS_REGION") ?? environment("AWS_DEFAULT_REGION") ?? value("region")
    endpoint = environment("AWS_ENDPOINT_URL_S3") ?? environment("AWS_ENDPOINT_URL") ?? value("endpoint_url")
    while endpoint?.last == "/" { endpoint?.removeLast() }

    // GDAL's name for asking without a signature; public buckets refuse keys that are out of date.
    if ["YES", "TRUE", "1"].contains(environment("AWS_NO_SIGN_REQUEST")?.uppercased()) { return }
    if let key = environment("AWS_ACCESS_KEY_ID"), let secret = environment("AWS_SECRET_ACCESS_KEY") {
      keys = Keys(key: key, secret: secret, token: environment("AWS_SESSION_TOKEN"))
    } else if let key = value("aws_access_key_id"), let secret = value("aws_secret_access_key") {
      keys = Keys(key: key, secret: secret, token: value("aws_session_token"))
    } else if let named {
      throw JigsawError(
        "AWS_PROFILE", "names a profile without keys", expected: "aws_access_key_id and aws_secret_access_key",
        found: named,
        remedy: "where they come from a login or a role, run: eval $(aws configure export-credentials --format env)")
    }
  }

  /// The address of a bucket, whose name is percent-encoded.
  func address(bucket: String) throws -> String {
    if let endpoint {
      guard endpoint.hasPrefix("http://") || endpoint.hasPrefix("https://") else {
        throw JigsawError("AWS_ENDPOINT_URL", "is not an address", expected: "http:// or https://", found: endpoint)
      }
      return "\(endpoint)/\(bucket)"
    }
    let host = region.map { "s3.\($0).amazonaws.com" } ?? "s3.amazonaws.com"
    // Amazon's certificate has no names with more dots.
    return bucket.contains(".") ? "https://\(host)/\(bucket)" : "https://\(bucket).\(host)"
  }

  static func variable(_ name: String) -> String? {
    getenv(name).map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }

  /// The sections of an INI file; none if there is no such file.
  private static func sections(_ path: String) throws -> [String: [String: String]] {
    guard let bytes = try Files.readIfPresent(path, atMost: 1 << 20) else { return [:] }
    var sections: [String: [String: String]] = [:]
    var current: String?
    for line in String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline) {
      // Lines further in belong to a setting of several lines, which none of ours is.
      guard let first = line.first, !first.isWhitespace, first != "#", first != ";" else { continue }
      if first == "[", let end = line.firstIndex(of: "]") {
        let words = line[line.index(after: line.startIndex)..<end].split(whereSeparator: \.isWhitespace)
        let name = words.joined(separator: " ")
        current = name
        sections[name] = sections[name] ?? [:]
      } else if let current, let equals = line.firstIndex(of: "=") {
        let name = trimmed(line[..<equals]).lowercased()
        sections[current]?[name] = trimmed(line[line.index(after: equals)...])
      }
    }
    return sections
  }

  private static func trimmed(_ text: Substring) -> String {
    var text = text.drop(while: \.isWhitespace)
    while text.last?.isWhitespace == true { text.removeLast() }
    return String(text)
  }
}
