import Models
import Planning

extension PublishedExperiments {
  /// The same machine for the schedules of this program: GEMMs as fast as the published steps on one GPU show them, passes, links,
  /// the nodes' ports, reading and straggling as the published experiments are predicted with.
  ///
  /// Both directions of a link are used at once, each at the calibrated rate, since sends and receives are started
  /// together here. Every GEMM and pass takes `launchSeconds` more.
  public func machineModel(
    _ sizes: WeatherMixer.Sizes, _ precision: PublishedFigures.Precision, launchSeconds: Double = 5e-6
  ) -> MachineModel {
    let (rate, machine) = (flopsPerSecond(sizes, precision), machine)
    let states = PublishedRun.sampleBytes
    // What their loaders delivered, to one rank, and to four of a node, each of which decodes twice what it needs; for all
    // together what KIT gives for the file system of workspaces (nhr.kit.edu/userdocs/horeka/filesystems).
    let reading = (rank: states / 0.25, node: 2 * states / 0.12, job: 196e9)
    var model = MachineModel(
      productSeconds: { launchSeconds + Double($0.flops) / rate },
      passSeconds: { launchSeconds + Double($0) / machine.passBytesPerSecond },
      peakFLOPsPerSecond: precision.peak, ranksPerNode: machine.gpusPerNode, withinNode: machine.link,
      betweenNodes: MachineModel.Link(
        latencySeconds: machine.link.latencySeconds, bytesPerSecond: machine.allReduceBytesPerSecond(groups: 1)))
    model.nodeBytesPerSecond = 4 * machine.allReduceBytesPerSecond(groups: 4)
    model.readingBytesPerSecond = reading
    model.frameSecondsPerByte = 1 / machine.hostBytesPerSecond
    model.straggling = machine.straggling
    return model
  }
}
