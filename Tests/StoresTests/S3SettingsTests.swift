import Basics
import TestSupport
import Testing

@testable import Stores

/// Where S3 is and who asks. That signatures are right is in Tests/Interop/test_s3.py.
@Suite struct S3SettingsTests {
  private func settings(_ variables: [String: String], home: String = "/nonexistent") throws -> S3Settings {
    try S3Settings(environment: { ["HOME": home].merging(variables) { $1 }[$0] })
  }

  @Test func variablesComeBeforeProfiles() throws {
    let folder = try TemporaryFolder()
    try Files.createDirectory("\(folder.path)/.aws")
    try Files.writeAtomically(
      "[default]\r\naws_access_key_id = dk\r\naws_secret_access_key = ds\r\n[ weather ]\naws_access_key_id=wk\naws_secret_access_key = a=b\n[login]\nsso_session = x\n",
      to: "\(folder.path)/.aws/credentials")
    try Files.writeAtomically(
      "; ours\n[default]\nregion = eu-north-1\n[profile weather]\nregion=us-west-2\ns3 =\n  endpoint_url = no\nendpoint_url = https://store//\n",
      to: "\(folder.path)/.aws/config")
    let plain = try settings([:], home: folder.path)
    #expect(plain.keys == .init(key: "dk", secret: "ds", token: nil) && plain.region == "eu-north-1")
    let weather = try settings(["AWS_PROFILE": "weather", "AWS_REGION": "here"], home: folder.path)
    #expect(weather.keys == .init(key: "wk", secret: "a=b", token: nil) && weather.region == "here")
    #expect(weather.endpoint == "https://store")
    let given = ["AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": "t"]
    #expect(try settings(given, home: folder.path).keys == .init(key: "k", secret: "s", token: "t"))
    #expect(try settings(["AWS_NO_SIGN_REQUEST": "yes"], home: folder.path).keys == nil)
    #expect(try settings([:]).keys == nil)
    for profile in ["none", "login"] {
      let error = #expect(throws: JigsawError.self) { try settings(["AWS_PROFILE": profile], home: folder.path) }
      #expect(error?.place == "AWS_PROFILE" && error?.found == profile)
    }
  }

  @Test func bucketsHaveAddresses() throws {
    func address(_ bucket: String, _ variables: [String: String]) throws -> String {
      try settings(variables).address(bucket: bucket)
    }
    #expect(try address("b", [:]) == "https://b.s3.amazonaws.com")
    #expect(try address("b", ["AWS_REGION": "eu-west-1"]) == "https://b.s3.eu-west-1.amazonaws.com")
    #expect(try address("b.c", ["AWS_REGION": "eu-west-1"]) == "https://s3.eu-west-1.amazonaws.com/b.c")
    let both = ["AWS_ENDPOINT_URL": "http://one", "AWS_ENDPOINT_URL_S3": "http://two:9000/"]
    #expect(try address("b", both) == "http://two:9000/b")
    #expect(throws: JigsawError.self) { try address("b", ["AWS_ENDPOINT_URL": "minio:9000"]) }
  }

  @Test func listsAreUnderstoodOrRefused() {
    func page(_ text: String) -> ObjectPage? { ObjectPage(Array(text.utf8)) }
    let whole =
      "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"x\"><Prefix>a/</Prefix><IsTruncated>true</IsTruncated><NextContinuationToken>1&amp;lt;+/=</NextContinuationToken><Contents><Key>a/b+c%2B%C3%BC</Key><Size>1</Size></Contents><CommonPrefixes><Prefix>a/d/</Prefix></CommonPrefixes></ListBucketResult>"
    #expect(page(whole)?.keys == ["a/b c+ü", "a/d/"] && page(whole)?.next == "1&lt;+/=")
    #expect(page("<ListBucketResult></ListBucketResult>")?.keys == [])
    // Cut off anywhere.
    for length in 0..<whole.utf8.count { #expect(page(String(whole.prefix(length))) == nil, "\(length)") }
    for bad in [
      "", "<html/>", "<ListBucketResult><Contents><Size>1</Size></Contents></ListBucketResult>",
      "<ListBucketResult><Contents><Key>%zz</Key></Contents></ListBucketResult>",
      "<ListBucketResult><Contents><Key>%F</Key></Contents></ListBucketResult>",
      "<ListBucketResult><Contents><Key>%FF</Key></Contents></ListBucketResult>",
      "<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
    ] { #expect(page(bad) == nil, "\(bad)") }
  }
}
