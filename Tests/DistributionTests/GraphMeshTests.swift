import Basics
import Communication
import Execution
import Models
import RankChecks
import Tensors
import Testing

@testable import Distribution

/// Graph models on meshes of ranks, as threads.
@Suite struct GraphMeshTests {
  static let meshes = [
    Mesh(domain: 1, tensor: 2), Mesh(domain: 2, tensor: 1), Mesh(domain: 2, tensor: 2), Mesh(domain: 1, tensor: 4),
    Mesh(domain: 4, tensor: 1), Mesh(domain: 2, tensor: 3), Mesh(domain: 3, tensor: 1),
    Mesh(replica: 2, domain: 2, tensor: 1),
  ]

  @Test(arguments: GraphModelChecks.settings, meshes)
  func everyMeshGivesTheSame(_ setting: GraphModelChecks.Setting, _ mesh: Mesh) throws {
    guard setting.fits(mesh) else { return }
    let failures = try ThreadRanks.run(mesh.count) { try GraphModelChecks.failures(setting, RankContext(mesh, $0)) }
    #expect(failures.flatMap { $0 } == [], "\(mesh)")
  }

  /// In chunks, with blocks computed again in groups or one by one, on one rank and on replicas: what the whole model gives.
  @Test(arguments: GraphModelChecks.settings, [2, 16])
  func partsGiveTheSame(_ setting: GraphModelChecks.Setting, _ chunks: Int) throws {
    let parts = setting.inParts(
      ComputationParts(mapper: chunks, processor: chunks == 2 ? 1 : nil), checkpointsActivations: true)
    let whole = try GraphModelChecks.outcome(setting, RankContext.single())
    let found = try GraphModelChecks.outcome(parts, RankContext.single())
    #expect(GraphModelChecks.differences(found, whole, setting.name, limit: 1e-5) == [])
    let mesh = Mesh(replica: 2, domain: 1, tensor: 1)
    let replicas = try ThreadRanks.run(mesh.count) { try GraphModelChecks.outcome(parts, RankContext(mesh, $0)) }
    for replica in replicas {
      #expect(GraphModelChecks.differences(replica, whole, setting.name, limit: 1e-5) == [])
    }
  }

  /// Groups of layers on a mesh: the same numbers, and as many bytes as planned.
  @Test(arguments: GraphModelChecks.settings) func groupsOfLayersGiveTheSame(_ setting: GraphModelChecks.Setting) throws
  {
    let mesh = Mesh(domain: 2, tensor: 2)
    let groups = setting.inParts(ComputationParts(processor: 1), checkpointsActivations: true)
    let failures = try ThreadRanks.run(mesh.count) { try GraphModelChecks.failures(groups, RankContext(mesh, $0)) }
    #expect(failures.flatMap { $0 } == [])
  }

  /// Each rank takes its destinations in chunks: the same numbers as the whole model on one rank, and as many bytes as planned.
  @Test(arguments: GraphModelChecks.settings, [Mesh(domain: 2, tensor: 2), Mesh(domain: 3, tensor: 1)])
  func chunksOnMeshesGiveTheSame(_ setting: GraphModelChecks.Setting, _ mesh: Mesh) throws {
    let parts = setting.inParts(ComputationParts(mapper: 3, processor: 1), checkpointsActivations: true)
    let expected = try GraphModelChecks.outcome(setting, RankContext.single())
    let found = try ThreadRanks.run(mesh.count) { try GraphModelChecks.outcome(parts, RankContext(mesh, $0)) }
    for rank in found { #expect(GraphModelChecks.differences(rank, expected, setting.name, limit: 1e-5) == []) }
  }

  /// Picked rows of a whole that two ranks hold: one needs a row of the other's.
  @Test func pickedRowsFollowTheirHolders() {
    let picked = PickedRows(IndexList([0, 2, 3, 1, 4]), of: 5)
    let remote = picked.remoteRows(Dimension(5, starts: IndexList([0, 3, 5])), ranks: 2)
    #expect(remote.rows == [[[], [3]], [[1], []]])
    #expect(remote.sent(0) == 1 && remote.received(0) == 1)
  }

  /// Every matrix is held once; the first of four ranks has two of five heads.
  @Test(arguments: GraphModelChecks.settings.prefix(1), meshes.dropLast())
  func parametersAreHeldOnce(_ setting: GraphModelChecks.Setting, _ mesh: Mesh) throws {
    let ranks = try ThreadRanks.run(mesh.count) { try GraphModelChecks.outcome(setting, RankContext(mesh, $0)) }
    let specs = setting.model.parameters.specs
    let matrices = specs.filter { $0.shape.count == 2 }.reduce(0) { $0 + $1.count }
    #expect(ranks.reduce(0) { $0 + $1.matrixCount } == matrices)
    for rank in ranks { #expect(Double(rank.matrixCount) < 1.6 * Double(matrices) / Double(mesh.count)) }
  }

  @Test func moreRanksThanHeadsAreRefused() throws {
    let mesh = Mesh(domain: 1, tensor: 6)
    let error = #expect(throws: JigsawError.self) {
      try ThreadRanks.run(mesh.count) {
        try GraphModelChecks.outcome(GraphModelChecks.settings[0], RankContext(mesh, $0))
      }
    }
    #expect(try #require(error).description.contains("splits attention over more ranks than it has heads"))
  }

  /// Rank 0 has destinations 0 and 1 and sources 0 to 2, rank 1 the rest: edges go one way only.
  @Test func halosFollowIncomingEdges() {
    let edges = EdgeLists(
      destinationStarts: [0, 3, 3, 5, 6], sources: [4, 0, 3, 4, 3, 3], sourceCount: 5)
    let lists = HaloLists(edges, ranks: 2)
    #expect(lists.remote.rows == [[[], [3, 4]], [[], []]])
    #expect(lists.remote.sent(0) == 0 && lists.remote.sent(1) == 2 && lists.remote.received(0) == 2)
    let local = lists.localEdges(0)
    #expect((0..<3).map { local.sources[$0] } == [4, 0, 3] && local.sourceCount == 5)
    #expect((0...2).map { local.starts[$0] } == [0, 3, 3])
    #expect((0..<3).map { lists.localEdges(1).sources[$0] } == [1, 0, 0])
  }
}
