import Basics
import Testing

/// Imports point downwards only (docs/architecture.md).
@Suite struct ImportTests {
  /// From the ground up.
  static let floors = [
    "CKernels", "COneDNN", "CNetCDF", "CECCodes", "CBlosc", "CZlib", "CZstd", "CMPI", "Basics", "Settings", "Tensors",
    "Geometry",
    "Communication",
    "Execution",
    "Distribution", "Models", "Stores",
    "Datasets", "Checkpoints", "Stepping", "Training", "Forecasting", "Verification", "Planning", "Reporting",
    "Configuration",
    "Workflow",
    "jigsaw",
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
          guard let index = words.firstIndex(of: "import"), index + 1 < words.count, index <= 1,
            let target = Self.floors.firstIndex(of: String(words[index + 1]))
          else { continue }
          #expect(target < floor, "\(file) imports \(words[index + 1])")
        }
      }
    }
    #expect(rooms >= 10)
  }

  /// What has one door: netCDF-C, ecCodes and the codecs only from Stores, oneDNN only from Tensors.
  @Test func librariesHaveOneDoor() throws {
    let doors = [
      "CNetCDF": "Stores", "CBlosc": "Stores", "CZlib": "Stores", "CZstd": "Stores", "CBZip2": "Stores",
      "CLZMA": "Stores", "CECCodes": "Stores", "CCurl": "Stores", "COneDNN": "Tensors",
      "CMPI": "Communication",
    ]
    for room in try Files.list("\(Self.root)/Sources") where room != "System" {
      for file in try Self.swiftFiles("\(Self.root)/Sources/\(room)") {
        let text = try Files.readText(file)
        for (library, door) in doors where text.contains("import \(library)\n") { #expect(room == door, "\(file)") }
      }
    }
  }
}
