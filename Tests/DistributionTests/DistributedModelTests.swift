import Communication
import Execution
import Models
import RankChecks
import Testing

@testable import Distribution

@Suite struct DistributedModelTests {
  static let meshes = [(1, 1), (1, 2), (2, 1), (2, 2), (1, 4), (4, 1), (2, 3), (3, 1)]

  @Test(arguments: ModelChecks.settings, meshes)
  func everyMeshGivesTheSame(_ setting: ModelChecks.Setting, _ size: (Int, Int)) throws {
    let mesh = Mesh(domain: size.0, tensor: size.1)
    let failures = try ThreadRanks.run(mesh.count) { try ModelChecks.failures(setting, RankContext(mesh, $0)) }
    #expect(failures.flatMap { $0 } == [], "\(mesh)")
  }

  /// Nor does it matter how many messages a block goes in.
  @Test(arguments: ModelChecks.settings, [(1, 2), (2, 1), (2, 3)])
  func slowLinksGiveTheSame(_ setting: ModelChecks.Setting, _ size: (Int, Int)) throws {
    let mesh = Mesh(domain: size.0, tensor: size.1)
    let failures = try ThreadRanks.run(mesh.count) {
      let context = try RankContext(mesh, $0)
      context.linkEstimate = ModelChecks.slowLink
      return try ModelChecks.failures(setting, context)
    }
    #expect(failures.flatMap { $0 } == [], "\(mesh)")
  }

  /// No matrix is held twice, and when sizes divide every rank has the same work.
  @Test(arguments: meshes) func nothingIsHeldTwiceAndWorkIsBalanced(_ size: (Int, Int)) throws {
    let mesh = Mesh(domain: size.0, tensor: size.1)
    for setting in [ModelChecks.settings[0], ModelChecks.settings[2]] {
      let ranks = try ThreadRanks.run(mesh.count) { try ModelChecks.distributed(setting, RankContext(mesh, $0)) }
      let matrices = setting.model.parameters.specs.filter { $0.shape.count == 2 }.reduce(0) { $0 + $1.count }
      #expect(ranks.reduce(0) { $0 + $1.matrixCount } == matrices)
      if setting.name == "even" && 12 % mesh.domain == 0 && 6 % mesh.tensor == 0 {
        #expect(Set(ranks.map(\.flops)).count == 1, "\(mesh): \(ranks.map(\.flops))")
      }
    }
  }
}
