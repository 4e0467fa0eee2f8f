import Basics
import Testing

/// Names and attributes in what is written for other programs.
@Suite struct SafeTextTests {
  @Test func controlCharactersAreShown() {
    #expect(terminalText("a\u{1B}]0;owned\u{7}\r\nb\t\u{9B}c") == "a\\x1b]0;owned\\x07\\x0d\nb\t\\x9bc")
    #expect(terminalText("a\u{202E}b") == "a\\u{202e}b")
    #expect(terminalText("Zürich 🌍 — °") == "Zürich 🌍 — °")
  }

  @Test func markupIsNoMarkup() {
    #expect(markupText("<script>\"'&\u{1B}") == "&lt;script&gt;&quot;&#39;&amp;\\x1b")
    #expect(markdownText("a|b<i>[x](y)\n# c `d`") == "a\\|b&lt;i&gt;\\[x\\](y) \\# c \\`d\\`")
  }

  @Test func formulasAreQuotedAndReadBack() {
    let names = ["=1+1", "+1", "-1", "@a", "a,b", "a\nb", "say \"x\"", "'=x", "plain", ""]
    #expect(csvCell("=1+1") == "\"'=1+1\"" && csvCell("t2m") == "t2m" && csvCell("a,b") == "\"a,b\"")
    let rows = csvRows(names.map { "\(csvCell($0)),2" }.joined(separator: "\n") + "\nunfinished")
    #expect(rows == names.map { [Substring($0), "2"] })
  }

  @Test(arguments: [
    ("http://alice:s3cr3t@host/a", "http://***@host/a"),
    ("can't read https://a:b@h:1/x; ask", "can't read https://***@h:1/x; ask"),
    ("path: \"http://u:p@h\", other: \"ftp://v:q@i\"", "path: \"http://***@h\", other: \"ftp://***@i\""),
    ("s3://bucket/a@b", "s3://bucket/a@b"), ("a@b://c", "a@b://c"), ("http://a:p@ss@h/", "http://***@h/"),
  ])
  func userInformationIsMasked(text: String, masked: String) { #expect(withoutUserInformation(text) == masked) }

  @Test func errorsDoNotTellPasswords() {
    #expect(
      !JigsawError("http://a:s3cr3t@h/x", "can't be read", found: "http://a:s3cr3t@h").description.contains("s3cr3t"))
  }
}
