import Basics
import TestSupport
import Testing

/// One way to use the program wrongly, and what it must say.
struct BadInput: Sendable, CustomTestStringConvertible {
  let name: String
  let arguments: [String]
  /// Parts of the sentence: place, expected, found, remedy as far as they apply.
  let expected: [String]
  var status: Int32 = 1
  var needsRun = false
  var fileSizeLimit: Int?
  /// Paths that must not be there afterwards.
  var absent: [String] = []
  /// Paths that must still be there.
  var present: [String] = []
  let prepare: @Sendable (Workspace) throws -> Void

  init(
    _ name: String, _ arguments: [String], expected: [String], status: Int32 = 1, needsRun: Bool = false,
    fileSizeLimit: Int? = nil, absent: [String] = [], present: [String] = [],
    prepare: @escaping @Sendable (Workspace) throws -> Void = { _ in }
  ) {
    self.name = name
    self.arguments = arguments
    self.expected = expected
    self.status = status
    self.needsRun = needsRun
    self.fileSizeLimit = fileSizeLimit
    self.absent = absent
    self.present = present
    self.prepare = prepare
  }

  var testDescription: String { name }

  /// Runs it and checks what every failure has in common: an exit status, one sentence, no crash, nothing half written.
  func check() throws {
    let workspace = try needsRun ? Workspace(copying: Workspace.trained.get()) : Workspace()
    try prepare(workspace)
    let output = try workspace.run(arguments, fileSizeLimit: fileSizeLimit)
    #expect(output.status == status, "\(name): \(output.err)")
    let sentence = output.lastLine
    if status == 1 {
      #expect(
        sentence.hasPrefix("error: ") && (sentence.hasSuffix(".") || sentence.hasSuffix("?")), "\(name): \(output.err)")
      #expect(output.err.split(separator: "\n").filter { $0.hasPrefix("error: ") }.count == 1, "\(name): \(output.err)")
    }
    for part in expected { #expect(output.err.contains(part), "\(name): '\(part)' in: \(output.err)") }
    for sign in ["Fatal error", "Crash", "HDF5-DIAG", "NSError", "DecodingError", "Optional(", ".swift:"] {
      #expect(!output.err.contains(sign), "\(name): \(output.err)")
    }
    #expect(output.out.isEmpty, "\(name): \(output.out)")
    for path in absent { #expect(!Files.exists("\(workspace.path)/\(path)"), "\(name): \(path)") }
    for path in present { #expect(Files.exists("\(workspace.path)/\(path)"), "\(name): \(path)") }
    for place in ["", "/run", "/run/checkpoints"] where Files.isDirectory(workspace.path + place) {
      let leftovers = try Files.list(workspace.path + place).filter { $0.hasSuffix(".tmp") }
      #expect(leftovers == [], "\(name)")
    }
  }
}
