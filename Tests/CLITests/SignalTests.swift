import Basics
import Foundation
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#endif

/// Signals before there is anything to save, and a log that nobody reads any more.
@Suite struct SignalTests {
  /// Takes connections and never answers: whoever is connected is opening its data.
  private final class SilentServer {
    private let descriptor: Int32
    private(set) var port = 0

    init() throws {
      descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var address = sockaddr_in()
      address.sin_family = sa_family_t(AF_INET)
      address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
      var length = socklen_t(MemoryLayout<sockaddr_in>.size)
      let status = withUnsafeMutablePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { place in
          bind(descriptor, place, length) + listen(descriptor, 8) + getsockname(descriptor, place, &length)
        }
      }
      guard status == 0 else { throw JigsawError("127.0.0.1", "can't listen (\(Files.reason()))") }
      port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }

    func waitForClient() -> Bool {
      var waiting = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
      return poll(&waiting, 1, 30_000) == 1
    }
  }

  /// The program as a process whose messages go to `err` of its folder, or into `pipe`.
  private func start(_ arguments: [String], in folder: String, errors pipe: Pipe? = nil) throws -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["--default-signal=HUP,USR1,TERM,PIPE", Program.path] + arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.environment = ["PATH": "/usr/bin:/bin", "no_proxy": "*"]
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    if let pipe {
      process.standardError = pipe
    } else {
      try Files.writeAtomically("", to: "\(folder)/err")
      process.standardError = FileHandle(forWritingAtPath: "\(folder)/err")
    }
    try process.run()
    return process
  }

  /// A job that is told of its end while it opens its data ends with status 0, so that it is queued again; a lost connection
  /// ends nothing.
  @Test(arguments: [["train", "config.yaml"], ["data", "stats", "config.yaml"]])
  func aSignalBeforeTheFirstFieldEndsWell(arguments: [String]) throws {
    let workspace = try Workspace()
    let server = try SilentServer()
    try workspace.edit("config.yaml", "path: data.nc", "path: 'http://127.0.0.1:\(server.port)/a.zarr'")
    let process = try start(arguments, in: workspace.path)
    try #require(server.waitForClient())
    kill(process.processIdentifier, SIGHUP)
    usleep(100_000)
    #expect(process.isRunning)
    kill(process.processIdentifier, SIGUSR1)
    process.waitUntilExit()
    let said = try Files.readText("\(workspace.path)/err")
    #expect(process.terminationReason == .exit && process.terminationStatus == 0, "\(said)")
    #expect(said.contains("stopped by a signal before there was anything to save"), "\(said)")
  }

  /// Threads that compute may have their stacks where a signal's frame would destroy numbers.
  @Test func oneThreadAloneTakesSignals() throws {
    let workspace = try Workspace()
    let server = try SilentServer()
    try workspace.edit("config.yaml", "path: data.nc", "path: 'http://127.0.0.1:\(server.port)/a.zarr'")
    let process = try start(["train", "config.yaml"], in: workspace.path)
    defer { process.terminate() }
    try #require(server.waitForClient())
    let threads = "/proc/\(process.processIdentifier)/task"
    let blocked = try FileManager.default.contentsOfDirectory(atPath: threads).map { thread in
      let status = try String(contentsOfFile: "\(threads)/\(thread)/status", encoding: .utf8)
      let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("SigBlk:") })
      return try #require(UInt64(line.split(separator: "\t")[1], radix: 16))
    }
    for signal in [SIGINT, SIGTERM, SIGUSR1] {
      #expect(blocked.count { $0 & 1 << (signal - 1) == 0 } == 1, "\(signal): \(blocked)")
    }
  }

  @Test func aTrainingWhoseLogNobodyReadsGoesOn() throws {
    let workspace = try Workspace()
    let pipe = Pipe()
    try pipe.fileHandleForReading.close()
    let process = try start(["train", "config.yaml"], in: workspace.path, errors: pipe)
    process.waitUntilExit()
    #expect(process.terminationReason == .exit && process.terminationStatus == 0)
    #expect(Files.exists("\(workspace.path)/run/checkpoints/update-0000004"))
  }
}
