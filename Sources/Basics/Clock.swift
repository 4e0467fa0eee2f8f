#if canImport(Glibc)
  import Glibc
#endif

/// Seconds on a clock that only moves forward; differences are durations.
public func monotonicSeconds() -> Double {
  var time = timespec()
  clock_gettime(CLOCK_MONOTONIC, &time)
  return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}
