import Basics
import Configuration
import Datasets
import Testing
import Training

@testable import Workflow

@Suite struct LossScalerTests {
  private static func scalers(_ weights: [String: Double]) throws -> [String: Double] {
    var section = ScalersSection()
    section.generalVariable = weights
    return try Assembly.scalers(section, [Channel(variable: "u10"), Channel(variable: "z", levelHPa: 500)])
      .generalVariable
  }

  /// A list may name variables that are not predicted, since one list serves many configurations, but no unknown ones.
  @Test func namesOfAnyKindAreTaken() throws {
    #expect(
      try Self.scalers(["10u": 0.1, "z": 12, "sp": 10, "default": 2]) == ["u10": 0.1, "z": 12, "sp": 10, "default": 2])
    let unknown = #expect(throws: JigsawError.self) { try Self.scalers(["zz": 1]) }
    #expect(try #require(unknown).description.hasPrefix("training.loss.scalers.general_variable.zz: is no variable"))
    let two = #expect(throws: JigsawError.self) { try Self.scalers(["10u": 1, "u10": 2]) }
    #expect(try #require(two).description.contains("contradicts another name of u10"))
  }
}
