import Basics
import Datasets

/// The findings of `jigsaw data check`, for programs.
public struct CheckReport: JSONReport {
  /// Where a variable or static field comes from.
  public struct Origin: Encodable, Sendable {
    public let variable: String
    public let levelsHPa: [Double]
    public let isStatic: Bool
    public let source, storedName: String
    public let files: Int
    public let times: InspectReport.Times?
  }

  public let format = "jigsaw-check-1"
  public let version = jigsawVersion
  /// Whether nothing stands in the way.
  public let isFine: Bool
  public let problems: [String]
  /// The other lines of the text.
  public let findings: [String]
  public let origins: [Origin]
  public let chunksRead: Int

  public init(_ findings: CheckWorkflow.Findings) {
    isFine = findings.problems.isEmpty
    problems = findings.problems
    self.findings = findings.lines
    origins = findings.origins.map {
      Origin(
        variable: $0.variable, levelsHPa: $0.levelsHPa, isStatic: $0.isStatic, source: $0.source,
        storedName: $0.storedName, files: $0.storeCount, times: .init($0.times))
    }
    chunksRead = findings.chunksRead
  }

  // MARK: For people

  public var text: String {
    (findings + problems.map { "problem: \($0)" } + (isFine ? ["fine"] : [])).joined(separator: "\n")
  }
}
