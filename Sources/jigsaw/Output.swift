import Basics

/// To standard output: control characters of names and attributes are shown, and user information of addresses is left out.
func show(_ text: String, terminator: String = "\n") {
  print(terminalText(withoutUserInformation(text)), terminator: terminator)
}
