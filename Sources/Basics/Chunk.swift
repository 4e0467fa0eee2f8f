/// Bounds of part `index` of `count` nearly equal parts of 0 ..< n; the first n mod count parts are longer by one. Everything
/// that is split over ranks, threads or pieces is split by this function.
public func chunk(_ n: Int, into count: Int, _ index: Int) -> Range<Int> {
  let (size, longer) = n.quotientAndRemainder(dividingBy: count)
  let lower = index * size + min(index, longer)
  return lower..<lower + size + (index < longer ? 1 : 0)
}
