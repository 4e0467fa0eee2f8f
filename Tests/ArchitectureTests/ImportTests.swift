import Basics
import Testing

/// Imports point downwards only (docs/architecture.md).
@Suite struct ImportTests {
  /// From the ground up.
  static let floors =
    libraries + [
      "CKernels", "Basics", "Settings", "Tensors", "Geometry", "Communication", "Execution", "Distribution", "Models",
      "Stores", "Datasets", "Checkpoints", "Stepping", "Training", "Forecasting", "Verification", "Planning",
      "Reporting", "Configuration", "Workflow", "jigsaw",
    ]

  /// Libraries of the system, a folder each in Sources/System.
  static let libraries = [
    "CNetCDF", "CECCodes", "CBlosc", "CBZip2", "CCurl", "CLZ4", "CLZMA", "CZlib", "CZstd", "CLinux", "COneDNN",
    "CMPILibrary", "CMPI",
  ]

  /// Modules that are no target of ours.
  private static let others: Set<String> = [
    "ArgumentParser", "Darwin", "Foundation", "FoundationEssentials", "Glibc", "Synchronization", "Yams",
  ]

  static let root = "/" + #filePath.split(separator: "/").dropLast(3).joined(separator: "/")

  static func swiftFiles(_ folder: String) throws -> [String] {
    try Files.list(folder).flatMap { name -> [String] in
      let path = "\(folder)/\(name)"
      if Files.isDirectory(path) { return try swiftFiles(path) }
      return name.hasSuffix(".swift") ? [path] : []
    }
  }

  @Test func importsPointDownwards() throws {
    var rooms = 0
    for room in try Files.list("\(Self.root)/Sources") where room != "System" && room != "CKernels" {
      let floor = try #require(Self.floors.firstIndex(of: room), "\(room) is on no floor")
      rooms += 1
      for file in try Self.swiftFiles("\(Self.root)/Sources/\(room)") {
        for line in try Files.readText(file).split(separator: "\n") {
          let words = line.split(separator: " ")
          guard let index = words.firstIndex(of: "import"), index + 1 < words.count, index <= 1 else { continue }
          let name = String(words[index + 1])
          if Self.others.contains(name) { continue }
          let target = try #require(Self.floors.firstIndex(of: name), "\(file) imports \(name), which is on no floor")
          #expect(target < floor, "\(file) imports \(name)")
        }
      }
    }
    #expect(rooms >= 10)
  }

  @Test func everyLibraryIsListed() throws {
    #expect(try Files.list("\(Self.root)/Sources/System").sorted() == Self.libraries.sorted())
  }

  /// Libraries have one door: netCDF-C, ecCodes, libcurl and the codecs only from Stores, oneDNN only from Tensors.
  @Test func librariesHaveOneDoor() throws {
    let doors = Dictionary(
      uniqueKeysWithValues: Self.libraries.filter { $0 != "CMPILibrary" }.map {
        ($0, ["COneDNN": "Tensors", "CMPI": "Communication", "CLinux": "Basics"][$0] ?? "Stores")
      })
    for room in try Files.list("\(Self.root)/Sources") where room != "System" {
      for file in try Self.swiftFiles("\(Self.root)/Sources/\(room)") {
        let text = try Files.readText(file)
        for (library, door) in doors where text.contains("import \(library)\n") { #expect(room == door, "\(file)") }
      }
    }
  }
}
