import Tensors
import TestSupport
import Testing

@testable import Basics
@testable import Workflow

/// The processors that there are: those of the control group, and what others leave of them.
@Suite struct ProcessorsTests {
  @Test func theTightestGroupCounts() {
    let files = [
      "/sys/fs/cgroup/job/step/cpu.max": "max 100000\n", "/sys/fs/cgroup/job/cpu.max": "250000 100000\n",
      "/sys/fs/cgroup/cpu.max": "800000 100000\n", "/sys/fs/cgroup/cpu/a/cpu.cfs_quota_us": "150000\n",
      "/sys/fs/cgroup/cpu/a/cpu.cfs_period_us": "100000\n", "/sys/fs/cgroup/cpu/b/cpu.cfs_quota_us": "-1\n",
      "/sys/fs/cgroup/cpu/b/cpu.cfs_period_us": "100000\n",
    ]
    func quota(_ groups: String) -> Double? { Machine.processorQuota(groups: groups) { files[$0] } }
    #expect(quota("0::/job/step\n") == 2.5)
    #expect(quota("0::/\n") == 8)
    #expect(quota("0::/elsewhere\n") == 8)
    #expect(quota("12:memory:/a\n4:cpu,cpuacct:/a\n") == 1.5)
    #expect(quota("4:cpu,cpuacct:/b\n") == nil)
    #expect(quota("nonsense\n") == nil)
  }

  @Test func busyTimeIsThatOfTheProcessorsAtHand() {
    let stat = """
      cpu  900 0 90 5000 10 0 0 0 0 0
      cpu0 400 10 40 2500 5 1 2 3 0 0
      cpu1 500 0 50 2500 5 0 0 0 0 0
      intr 1
      """
    #expect(Machine.busySeconds(stat: stat, mask: [0b01], ticksPerSecond: 100) == 4.56)
    #expect(Machine.busySeconds(stat: stat, mask: [0b11], ticksPerSecond: 100) == 10.06)
    #expect(Machine.busySeconds(stat: stat, mask: [0b100], ticksPerSecond: 100) == nil)
  }

  @Test func threadsWithoutProcessorsAddNothingToThePeak() throws {
    let folder = try TemporaryFolder()
    let file = "\(folder.path)/machine.json"
    var rates = MachineRates(
      measured: "2026-01-01T00:00:00", host: "h", processor: Machine.processorName, kernels: Compute.kernelSet, cpus: 4)
    rates.peaks = [1, 2, 4].map {
      .init(type: "fp32", unit: "fused multiply-add", threads: $0, flopsPerSecond: 1e10 * Double($0))
    }
    try rates.write(to: file)
    func peak(_ threads: Int, _ processors: Double) -> Double {
      Assembly.multiplyAddPeak(Compute(threads: threads), processors: processors, .silent, file: file)
    }
    #expect(peak(2, 4) == 2e10 && peak(4, 2) == 2e10 && peak(4, 1) == 1e10)
    #expect(peak(2, 0.5) == 0.5e10)
  }
}
