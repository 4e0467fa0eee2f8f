/// The contents of a pickle file as plain data: nothing of it is ever called. Objects of any class are opaque: their class's
/// name, the arguments and the state that a pickle gives them.
///
/// Values lie in one array and name each other by their place in it, so that deep and cyclic values cost no recursion.
public struct PickleDocument: Sendable {
  /// The place of a value.
  public typealias ID = Int

  public enum Value: Sendable, Equatable {
    case none
    case bool(Bool)
    case integer(Int)
    case float(Double)
    case string(String)
    case bytes([UInt8])
    case tuple([ID])
    /// A list or a set.
    case list([ID])
    case dictionary([Pair])
    /// A class or function: "torch.nn.modules.linear Linear".
    case global(String)
    case object(Object)
    /// An object outside of the pickle: a storage of a PyTorch file.
    case persistent(ID)
  }

  public struct Pair: Sendable, Equatable {
    public let key, value: ID
  }

  /// A class or function and the arguments that it would have been called with.
  public struct Object: Sendable, Equatable {
    public let callee: ID
    public let arguments: ID
    public var state: ID?
    /// The entries of subclasses of dictionaries and lists.
    public var pairs: [Pair] = []
    public var elements: [ID] = []
  }

  public internal(set) var values: [Value] = []
  public internal(set) var root: ID = 0

  public subscript(id: ID) -> Value { values[id] }

  public func string(_ id: ID) -> String? {
    if case .string(let text) = values[id] { return text }
    return nil
  }

  public func integer(_ id: ID) -> Int? {
    switch values[id] {
    case .integer(let number): return number
    case .bool(let flag): return flag ? 1 : 0
    default: return nil
    }
  }

  /// A number or a truth value.
  public func number(_ id: ID) -> Double? {
    if case .float(let number) = values[id] { return number }
    return integer(id).map(Double.init)
  }

  public func elements(_ id: ID) -> [ID]? {
    switch values[id] {
    case .tuple(let elements), .list(let elements): return elements
    case .object(let object) where object.pairs.isEmpty: return object.elements
    default: return nil
    }
  }

  public func integers(_ id: ID) -> [Int]? {
    guard let elements = elements(id) else { return nil }
    let numbers = elements.compactMap(integer)
    return numbers.count == elements.count ? numbers : nil
  }

  /// "torch.nn.modules.linear Linear" of an object or global.
  public func className(_ id: ID) -> String? {
    switch values[id] {
    case .global(let name): return name
    case .object(let object):
      if case .global(let name) = values[object.callee] { return name }
      return nil
    default: return nil
    }
  }

  /// The pairs of a dictionary, an ordered one too.
  public func pairs(_ id: ID) -> [Pair]? {
    switch values[id] {
    case .dictionary(let pairs): return pairs
    case .object(let object): return object.pairs
    default: return nil
    }
  }

  /// The value under a key of a dictionary; of equal keys the last counts.
  public func member(_ name: String, of id: ID) -> ID? {
    pairs(id)?.last { string($0.key) == name }?.value
  }

  /// An attribute of an object.
  public func attribute(_ name: String, of id: ID) -> ID? {
    guard case .object(let object) = values[id], let state = object.state else { return nil }
    return member(name, of: state)
  }
}
