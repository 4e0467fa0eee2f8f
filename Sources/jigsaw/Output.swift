import ArgumentParser
import Basics
import Workflow

/// To standard output: control characters of names and attributes are shown, and user information of addresses is left out.
func show(_ text: String, terminator: String = "\n") throws {
  try StandardStreams.print(terminalText(withoutUserInformation(text)) + terminator)
}

/// For verbs whose answer is a document, too (docs/json.md).
struct JSONOutput: ParsableArguments {
  @Option(
    name: .customLong("json"), defaultAsFlag: "-",
    help: ArgumentHelp(
      "Write the answer there as JSON, too; without a file, or with '-': print it instead.", valueName: "file"))
  var path: String?

  func write(_ document: String, text: String, terminator: String = "\n") throws {
    if path == "-" { try show(document, terminator: "") } else { try show(text, terminator: terminator) }
    if let path, path != "-" {
      try Replaceable.requireAnswer(path, like: document)
      try Files.writeAtomically(withoutUserInformation(document), to: path)
    }
  }
}
