import Basics
import Testing

/// Memory of tensors is touched by devices and by code that is the host's alone, so that a new device is a room of its own.
@Suite struct DeviceRuleTests {
  /// Rooms whose code may take addresses: kernels, messages, and what is read from and written to files.
  private static let rooms = ["Tensors", "Communication", "Stores", "Datasets"]

  /// Files above them with kernels of their own, which run on the host's processors. The list may only become shorter.
  private static let hostKernels = [
    "Planning/ForecastMemory.swift": ["DryDevice("], "Planning/SimulatedRank.swift": ["DryDevice("],
    "Stepping/Stepper.swift": ["compute.pass("],
    "Training/PointwiseLoss.swift": ["compute.pass(", ".floats"],
    "Training/WeightedLoss.swift": ["compute.sum(", ".floats"],
    "Workflow/BenchMachine.swift": ["team.run", ".floats"],
  ]
  private static let marks = [
    "compute.pass(", "compute.sum(", "team.run", "team.split", ".floats", "device.run", "DryDevice(",
  ]

  /// Whether a line of code contains a word, not as a part of another.
  private static func names(_ line: Substring, _ word: String) -> Bool {
    var rest = line
    while let found = rest.firstRange(of: word) {
      let after = rest[found.upperBound...].first
      let before = word.hasPrefix(".") ? nil : rest[..<found.lowerBound].last
      rest = rest[found.upperBound...]
      if [before, after].allSatisfy({ !($0.map { $0.isLetter || $0.isNumber || $0 == "_" } ?? false) }) {
        return true
      }
    }
    return false
  }

  private static func code(_ file: String) throws -> [Substring] {
    try Files.readText(file).split(separator: "\n").filter { !$0.drop { $0 == " " }.hasPrefix("//") }
  }

  private static func files() throws -> [(room: String, name: String, path: String)] {
    let sources = "\(ImportTests.root)/Sources"
    return try Files.list(sources).filter { $0 != "System" }.flatMap { room in
      try ImportTests.swiftFiles("\(sources)/\(room)").map { (room, String($0.dropFirst(sources.count + 1)), $0) }
    }
  }

  @Test func addressesStayInTheRoomsOfDevicesAndFiles() throws {
    let files = try Self.files()
    #expect(files.count > 300)
    for (room, name, path) in files where !Self.rooms.contains(room) {
      for line in try Self.code(path) {
        for word in [".pointer", ".bfloat16Pointer", ".address"] where Self.names(line, word) {
          Issue.record("\(name): \(line): a method of Compute, readOnHost or updateOnHost does it on any device")
        }
      }
    }
  }

  /// One question is asked of a device, and by Tensors alone: whether it is the host. Dry runs are a device.
  @Test func nobodyAsksForDryRuns() throws {
    for (room, name, path) in try Self.files() {
      for line in try Self.code(path) {
        if Self.names(line, "meter") && room != "Datasets" {
          #expect(name == "Tensors/Devices/DryDevice.swift", "\(line)")
        }
        if Self.names(line, "isHost") { #expect(room == "Tensors", "\(name): \(line)") }
      }
    }
  }

  /// Geometry is computed by the host before there are tensors.
  @Test func hostKernelsOutsideOfTensorsAreListed() throws {
    for (room, name, path) in try Self.files() where !(Self.rooms + ["Geometry"]).contains(room) {
      let code = try Self.code(path)
      let allowed = Self.hostKernels[name] ?? []
      for mark in Self.marks {
        let line = code.first { $0.contains(mark) && !$0.contains("file.floats(") }
        #expect(
          (line != nil) == allowed.contains(mark), "\(name): \(mark): \(line ?? "is no longer there: shorten the list")"
        )
      }
    }
  }

  @Test func namesAreFound() {
    #expect(Self.names("let a = x.pointer + 1", ".pointer") && Self.names("meter.pass()", "meter"))
    #expect(!Self.names("x.pointers", ".pointer") && !Self.names("parameter", "meter"))
    #expect(!Self.names("own.meters", "meter"))
  }
}
