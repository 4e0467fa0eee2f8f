import Communication
import Distribution
import RankChecks

#if canImport(Glibc)
  import Glibc
#endif

/// The checks of ranks over MPI: `mpirun -n 4 rank-checks`. Every mesh of all ranks is tried; ends with 1 if a check failed.
@main struct RankChecksMain {
  static func main() throws {
    let world = try MPICommunicator.start()
    var failures = try CollectiveChecks.failures(world)
    for domain in 1...world.size where world.size % domain == 0 {
      let mesh = Mesh(domain: domain, tensor: world.size / domain)
      let context = try RankContext(mesh, world)
      for setting in ModelChecks.settings where setting.fits(mesh) {
        for linkEstimate in [nil, ModelChecks.slowLink] {
          context.linkEstimate = linkEstimate
          failures += try ModelChecks.failures(setting, context).map { "\(mesh), rank \(world.rank): \($0)" }
        }
      }
      for setting in GraphModelChecks.settings where setting.fits(mesh) {
        for linkEstimate in [nil, ModelChecks.slowLink] {
          context.linkEstimate = linkEstimate
          failures += try GraphModelChecks.failures(setting, context).map { "\(mesh), rank \(world.rank): \($0)" }
        }
      }
    }
    for failure in failures { print(failure) }
    let count = try world.allReduce([Double(failures.count)])[0]
    if world.rank == 0 { print("\(world.name), \(world.size) ranks: \(count == 0 ? "all checks passed" : "failed")") }
    try world.finish()
    if count > 0 { exit(1) }
  }
}
