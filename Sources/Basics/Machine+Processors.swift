#if canImport(Glibc)
  import Glibc
#endif

/// How much of the machine's processors this process may have, and how busy they are.
extension Machine {
  /// Processors' worth of time that the control groups of this process grant; nil: no limit.
  public static var processorQuota: Double? {
    guard let groups = try? readVirtual("/proc/self/cgroup") else { return nil }
    return processorQuota(groups: groups) { try? readVirtual($0) }
  }

  /// - Parameters:
  ///   - groups: as /proc/self/cgroup has them, "0::/user.slice/a" or "4:cpu,cpuacct:/a".
  ///   - read: the text of a file, if it exists.
  static func processorQuota(groups: String, read: (String) -> String?) -> Double? {
    var least: Double?
    for line in groups.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      let isVersion2 = parts[1].isEmpty
      guard isVersion2 || parts[1].split(separator: ",").contains("cpu") else { continue }
      // A group has no more than those that it is in.
      var path = String(parts[2])
      while true {
        let own = path == "/" ? "" : path
        let quota =
          isVersion2
          ? read("/sys/fs/cgroup\(own)/cpu.max").flatMap(ratio)
          : read("/sys/fs/cgroup/cpu\(own)/cpu.cfs_quota_us").flatMap { quota in
            read("/sys/fs/cgroup/cpu\(own)/cpu.cfs_period_us").flatMap { ratio("\(quota) \($0)") }
          }
        if let quota { least = min(least ?? quota, quota) }
        guard let slash = own.lastIndex(of: "/") else { break }
        path = String(own[..<slash])
      }
    }
    return least
  }

  /// "150000 100000"; "max 100000" and "-1 100000" are no limit.
  private static func ratio(_ text: String) -> Double? {
    let numbers = text.split(whereSeparator: \.isWhitespace).map { Double($0) }
    guard numbers.count == 2, let quota = numbers[0], let period = numbers[1], quota > 0, period > 0 else { return nil }
    return quota / period
  }

  /// Seconds that processors have been busy since the machine started, whoever with, of those with a bit in `mask`; nil when
  /// unknown.
  public static func busySeconds(mask: [UInt8]) -> Double? {
    guard let text = try? readVirtual("/proc/stat") else { return nil }
    return busySeconds(stat: text, mask: mask, ticksPerSecond: Double(sysconf(Int32(_SC_CLK_TCK))))
  }

  /// - Parameter stat: as /proc/stat has it: "cpu3 user nice system idle iowait irq softirq steal …", in ticks.
  static func busySeconds(stat: String, mask: [UInt8], ticksPerSecond: Double) -> Double? {
    var ticks: Double?
    for line in stat.split(separator: "\n") where line.hasPrefix("cpu") {
      let fields = line.split(separator: " ")
      guard let cpu = Int(fields[0].dropFirst(3)), cpu >= 0, cpu / 8 < mask.count, mask[cpu / 8] >> (cpu % 8) & 1 == 1
      else { continue }
      let numbers = fields.dropFirst().prefix(8).compactMap { Double($0) }
      guard numbers.count >= 4 else { return nil }
      // All but idle and waiting for disks.
      let idle = numbers[3] + (numbers.count > 4 ? numbers[4] : 0)
      ticks = (ticks ?? 0) + numbers.reduce(0, +) - idle
    }
    return ticks.map { $0 / ticksPerSecond }
  }
}
