import Basics
import Testing

/// Whole numbers made of floating-point numbers that files hold: `Int(1e300)` ends the program.
@Suite struct NumberTests {
  /// Rooms whose numbers come from files.
  private static let rooms = [
    "Basics", "Stores", "Datasets", "Forecasting", "Verification", "Reporting", "Configuration",
  ]
  /// Lines that convert what the program bounds itself.
  private static let bounded = [
    "startedCount", "Double(values[Int(sources[entry])", "Double(bytes) * (Double(sample)", "(247 + (channel - 247)",
    "log10(abs(value))",
    "(saturating:", "(exactly:",
  ]

  /// A conversion of what is visibly a floating-point expression.
  private static func isSuspect(_ line: Substring) -> Bool {
    for name in ["Int(", "Int64(", "Int32(", "UInt8("] {
      var rest = line
      while let found = rest.firstRange(of: name) {
        let before = rest[..<found.lowerBound].last
        rest = rest[found.upperBound...]
        if before.map({ $0.isLetter || $0 == "_" || $0 == "." }) ?? false { continue }
        if ["Double(", ".rounded(", "floor(", "ceil("].contains(where: { rest.contains($0) }) { return true }
      }
    }
    return false
  }

  @Test func floatingPointNumbersAreConvertedWithCare() throws {
    for room in Self.rooms {
      for file in try ImportTests.swiftFiles("\(ImportTests.root)/Sources/\(room)") {
        for line in try Files.readText(file).split(separator: "\n") {
          let code = line.drop { $0 == " " }
          if code.hasPrefix("//") || !Self.isSuspect(code) { continue }
          #expect(
            Self.bounded.contains { code.contains($0) }, "\(file): \(code) needs Int(saturating:) or Int(exactly:)")
        }
      }
    }
  }

  @Test func conversionsAreFound() {
    #expect(Self.isSuspect("return Int(rounded.rounded())") && Self.isSuspect("let n = Int(Double(a) * 2)"))
    #expect(!Self.isSuspect("UInt(Double(x))") && !Self.isSuspect("let n = Int(text)"))
  }

  /// Pipes and devices are refused in one place.
  @Test func filesAreOpenedInOnePlace() throws {
    for room in try Files.list("\(ImportTests.root)/Sources") where room != "System" {
      for file in try ImportTests.swiftFiles("\(ImportTests.root)/Sources/\(room)") {
        let text = try Files.readText(file)
        #expect(!text.contains("O_RDONLY") || file.hasSuffix("/Basics/Files.swift"), "\(file)")
      }
    }
  }
}
