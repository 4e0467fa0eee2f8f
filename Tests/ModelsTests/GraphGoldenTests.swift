import Basics
import Communication
import Distribution
import GraphChecks
import Testing

/// Whole graph models against an independent implementation in double precision (Tests/Goldens/make_graph_model_goldens.py): predictions,
/// intermediate results, gradients, a rollout of two steps and ten updates.
@Suite struct GraphGoldenTests {
  private static let folder =
    "/" + #filePath.split(separator: "/").dropLast(2).joined(separator: "/") + "/Goldens/graph-models"

  @Test(
    arguments: ["graph-transformer", "edge-network", "transformer", "ensemble"],
    [(threads: 1, keepsBlocks: true), (threads: 2, keepsBlocks: false)])
  func modelsComputeWhatTheReferenceDoes(name: String, how: (threads: Int, keepsBlocks: Bool)) throws {
    let check = try GraphCheck(
      "\(Self.folder)/\(name)", threads: how.threads, checkpointsActivations: !how.keepsBlocks)
    let report = try check.run().object ?? [:]
    var compared = 0
    for (key, entry) in report {
      if let error = entry["relative_l2"]?.double {
        compared += 1
        #expect(error < 2e-6, "\(name): \(key)")
      } else if let error = entry["worst_of_whole_norm"]?["error"]?.double {
        compared += 1
        // Two steps with weights drawn at random amplify rounding errors.
        #expect(error < (key == "grad" ? 2e-6 : 6e-6), "\(name): \(key)")
      } else if key != "param_l2_after", let error = entry["relative"]?.double {
        compared += 1
        // Ten updates amplify rounding errors.
        #expect(error < (key == "losses" ? 3e-6 : 1e-6), "\(name): \(key)")
      }
    }
    // Input, prediction, gradients, rollout, losses, and at least four intermediate results.
    #expect(compared >= 16, "\(name): \(report.keys.sorted())")
  }

  /// The same on meshes of ranks, against the reference and against one rank.
  @Test(
    arguments: ["graph-transformer", "edge-network", "transformer", "ensemble"],
    [Mesh(domain: 2, tensor: 2), Mesh(replica: 2, domain: 1, tensor: 2), Mesh(domain: 3, tensor: 1)])
  func meshesComputeWhatTheReferenceDoes(name: String, mesh: Mesh) throws {
    let reports = try ThreadRanks.run(mesh.count) {
      try MeshCheck("\(Self.folder)/\(name)", RankContext(mesh, $0)).run()
    }
    for report in reports {
      for (members, limit) in [(report, 6e-6), (try #require(report["one_rank"]), 1e-5)] {
        for key in ["y_pred", "grad_x"] {
          #expect(try #require(members[key]?["relative_l2"]?.double) < limit, "\(name), \(mesh): \(key)")
        }
        #expect(try #require(members["loss"]?["relative"]?.double) < 1e-6, "\(name), \(mesh)")
        #expect(try #require(members["grad"]?["worst_of_whole_norm"]?["error"]?.double) < 2e-6, "\(name), \(mesh)")
        #expect(try #require(members["losses"]?["relative"]?.double) < 3e-6, "\(name), \(mesh)")
      }
    }
  }

  /// A changed weight shows: the check can fail.
  @Test func aWrongWeightIsNoticed() throws {
    let check = try GraphCheck("\(Self.folder)/transformer", threads: 1)
    check.scaleParameter("model.processor.proc.1.attention.lin_v.weight", by: 1.001)
    let error = try check.run()["y_pred"]?["relative_l2"]?.double ?? 0
    #expect(error > 1e-5)
  }
}
