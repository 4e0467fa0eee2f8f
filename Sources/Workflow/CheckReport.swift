import Basics

/// What `jigsaw data check` found, for programs.
public struct CheckReport: JSONReport {
  public let format = "jigsaw-check-1"
  public let version = jigsawVersion
  /// Whether nothing stands in the way.
  public let isFine: Bool
  public let problems: [String]
  /// The other lines of the text.
  public let findings: [String]
  public let chunksRead: Int

  public init(_ findings: CheckWorkflow.Findings) {
    isFine = findings.problems.isEmpty
    problems = findings.problems
    self.findings = findings.lines
    chunksRead = findings.chunksRead
  }

  // MARK: For people

  public var text: String {
    (findings + problems.map { "problem: \($0)" } + (isFine ? ["fine"] : [])).joined(separator: "\n")
  }
}
