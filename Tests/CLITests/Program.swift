import Basics
import Foundation
import TestSupport

/// The built program, run as a child process.
enum Program {
  /// The executable lies beside the bundle of tests.
  static let path: String = {
    let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
    return Files.parent(of: bundle) + "/jigsaw"
  }()

  struct Output {
    /// Nil when a signal ended it: a crash, or this harness after too long a time.
    let status: Int32?
    let out, err: String

    /// The last message to the user.
    var lastLine: String { err.split(separator: "\n").last.map(String.init) ?? "" }
  }

  /// - Parameters:
  ///   - folder: the working folder.
  ///   - fileSizeLimit: KiB to which any file can grow, as on a disk that is nearly full.
  ///   - streams: redirections of a shell, in place of files for standard output and error.
  static func run(
    _ arguments: [String], in folder: String, fileSizeLimit: Int? = nil, streams: String? = nil
  ) throws -> Output {
    let outputs = try TemporaryFolder()
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    let limit = fileSizeLimit.map { "ulimit -f \($0 * 2); " } ?? ""
    process.arguments =
      [
        "-c",
        "\(limit)exec env --default-signal=XFSZ \"$0\" \"$@\" >\(outputs.path)/out 2>\(outputs.path)/err \(streams ?? "")",
        path,
      ] + arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.environment = ["PATH": "/usr/bin:/bin", "COLUMNS": "80", "LC_ALL": "C.UTF-8"]
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let deadline = monotonicSeconds() + 300
    while process.isRunning && monotonicSeconds() < deadline { usleep(5_000) }
    let hangs = process.isRunning
    if hangs { process.terminate() }
    process.waitUntilExit()
    let exited = process.terminationReason == .exit && !hangs
    return Output(
      status: exited ? process.terminationStatus : nil, out: try Files.readText("\(outputs.path)/out"),
      err: try Files.readText("\(outputs.path)/err") + (hangs ? "\n(hung)" : ""))
  }
}

/// A folder with data, a configuration and, if wanted, a trained run with a forecast.
final class Workspace: Sendable {
  let folder: TemporaryFolder
  var path: String { folder.path }

  static let configuration = """
    run: run
    seed: 1
    threads: 1
    data:
      sources: [{path: data.nc}]
      variables: [z, t, msl]
      levels: [850, 500]
      static: [orog]
      forcings: [insolation]
      train: {start: 2001-01-01, end: 2001-01-10}
      validation: {start: 2001-01-11, end: 2001-01-12}
      test: {start: 2001-01-13, end: 2001-01-15T18}
      cacheGiB: 0.01
    model: {patch: [2, 4], channels: 8, tokenWidth: 8, channelWidth: 8, blocks: 1}
    training:
      updates: 4
      batchSize: 2
      averageDecay: 0.5
      validation: {samples: 2}
      checkpoint: {every: 2}
    forecast: {leadHours: 24, everyHours: 24, batchSize: 2}

    """

  /// Data only.
  init() throws {
    folder = try TemporaryFolder()
    try SyntheticData().write("\(path)/data.nc")
    try Files.writeAtomically(Workspace.configuration, to: "\(path)/config.yaml")
  }

  /// A copy of one in which everything has been run.
  init(copying trained: Workspace) throws {
    folder = try TemporaryFolder()
    for name in try Files.list(trained.path) { try Files.copy("\(trained.path)/\(name)", to: "\(path)/\(name)") }
  }

  /// Made once; tests copy it. Removed when the tests end.
  static let trained: Result<Workspace, any Error> = Result {
    let workspace = try Workspace()
    for arguments in [["train", "config.yaml"], ["forecast", "run"]] {
      let output = try workspace.run(arguments)
      guard output.status == 0 else { throw JigsawError("jigsaw \(arguments[0])", "failed: \(output.err)") }
    }
    atexit { try? Files.remove((try? Workspace.trained.get().path) ?? "") }
    return workspace
  }

  func run(_ arguments: [String], fileSizeLimit: Int? = nil, streams: String? = nil) throws -> Program.Output {
    try Program.run(arguments, in: path, fileSizeLimit: fileSizeLimit, streams: streams)
  }

  /// Replaces text in a file; what is to be replaced must be there.
  func edit(_ file: String, _ old: String, _ new: String) throws {
    let text = try Files.readText("\(path)/\(file)")
    guard text.contains(old) else { throw JigsawError(file, "doesn't contain '\(old)'") }
    try Files.writeAtomically(text.replacingOccurrences(of: old, with: new), to: "\(path)/\(file)")
  }

  /// Rewrites a store with a change.
  func change(_ store: String, to target: String? = nil, _ change: (inout EditedStore) -> Void) throws {
    var edited = try EditedStore("\(path)/\(store)")
    change(&edited)
    try edited.write("\(path)/\(target ?? store)")
  }

  func cut(_ file: String, to share: Double) throws {
    let bytes = try Files.read("\(path)/\(file)")
    try Files.writeAtomically(Array(bytes[..<Int(Double(bytes.count) * share)]), to: "\(path)/\(file)")
  }
}
