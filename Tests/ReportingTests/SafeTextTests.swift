import Basics
import Testing

/// Names and attributes in what is written for other programs.
@Suite struct SafeTextTests {
  @Test func controlCharactersAreShown() {
    #expect(terminalText("a\u{1B}]0;owned\u{7}\r\nb\t\u{9B}c") == "a\\x1b]0;owned\\x07\\x0d\nb\t\\x9bc")
    #expect(terminalText("a\u{202E}b") == "a\\u{202e}b" && terminalText("a\u{FFFE}") == "a\\u{fffe}")
    #expect(terminalText("Zürich 🌍 — °") == "Zürich 🌍 — °")
  }

  /// A name with a line break makes no second line, one of megabytes no page.
  @Test func aSentenceIsOneLine() {
    #expect(lineText("a\nerror: b\tc") == "a\\x0aerror: b\\x09c")
    let error = JigsawError("a\nb", "is wrong", found: String(repeating: "x", count: 3_000_000), remedy: "c\nd")
    #expect(!error.description.contains("\n") && error.description.count < 1_100)
    let accents = lineText("a" + String(repeating: "\u{301}", count: 500_000))
    #expect(accents.unicodeScalars.count == 1_001)
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
    // A mark that joins with what stands before it: with a quote, a comma, an apostrophe.
    let joined = ["a\"\u{301},b", "\u{301}x", "'\u{301}", "a,\u{301}"]
    #expect(csvCell(joined[0]).unicodeScalars.count { $0 == "\"" } == 4)
    let read = csvRows(joined.map { "\(csvCell($0)),2" }.joined(separator: "\n") + "\nunfinished")
    #expect(read.map { $0.map { Array($0.unicodeScalars) } } == joined.map { [Array($0.unicodeScalars), ["2"]] })
  }

  @Test(arguments: [
    ("http://alice:s3cr3t@host/a", "http://***@host/a"),
    ("can't read https://a:b@h:1/x; ask", "can't read https://***@h:1/x; ask"),
    ("path: \"http://u:p@h\", other: \"ftp://v:q@i\"", "path: \"http://***@h\", other: \"ftp://***@i\""),
    ("http://alice:it's-s3cr3t@host", "http://***@host"), ("http://a:\"x@host/b", "http://***@host/b"),
    ("http:///a:s3cr3t@host/b", "http:///***@host/b"), ("http:a:s3cr3t@h", "http:***@h"),
    ("http:/a:s3cr3t@h", "http:/***@h"), ("http://a:s3/cr@host/b", "http://***@host/b"),
    ("http://a:s3 cr3t@host/b", "http://***@host/b"), ("http://a:s3#cr@host", "http://***@host"),
    ("'http://host:80', 'b@c'", "'http://host:80', 'b@c'"), ("12:30 by a@b", "12:30 by a@b"),
    ("s3://bucket/a@b", "s3://bucket/a@b"), ("a@b://c", "a@b://c"), ("http://a:p@ss@h/", "http://***@h/"),
  ])
  func userInformationIsMasked(text: String, masked: String) { #expect(withoutUserInformation(text) == masked) }

  @Test func errorsDoNotTellPasswords() {
    #expect(
      !JigsawError("http://a:s3cr3t@h/x", "can't be read", found: "http://a:s3cr3t@h").description.contains("s3cr3t"))
  }
}
