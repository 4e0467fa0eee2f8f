import Basics

/// How a graph is made: its points, in order, then its edges. Names and defaults are those of anemoi-graphs.
public struct GraphRecipe: Sendable {
  public var nodes: [Nodes]
  public var edges: [Edges]

  public init(nodes: [Nodes], edges: [Edges]) {
    self.nodes = nodes
    self.edges = edges
  }

  public struct Nodes: Sendable {
    public var name: String
    public var points: Points
    public var weights: [Weights]

    public init(name: String, points: Points, weights: [Weights] = []) {
      self.name = name
      self.points = points
      self.weights = weights
    }
  }

  /// Numbers of points that are stored under a name, such as `area_weight`.
  public struct Weights: Sendable {
    public var name: String
    public var kind: AreaWeights
    public var norm: Normalisation

    public init(name: String, kind: AreaWeights, norm: Normalisation = .unitMax) {
      self.name = name
      self.kind = kind
      self.norm = norm
    }
  }

  public enum Points: Sendable {
    /// Points that are known, with their masks: of a dataset, or given by hand.
    case given(PointSpace)
    /// All vertices of a refined icosahedron.
    case triangular(level: Int)
    /// Vertices near other points.
    case limitedAreaTriangular(level: Int, Area)
    /// Vertices of a coarse level outside an area and of a fine level inside.
    case stretchedTriangular(globalLevel: Int, localLevel: Int, Area)
    /// The octahedral reduced Gaussian grid O<n>.
    case octahedral(Int)
  }

  /// The area within a margin of some points.
  public struct Area: Sendable {
    /// Points defined before, and a mask of theirs.
    public var reference: String
    public var mask: String?
    public var marginKm: Double

    public init(reference: String, mask: String? = nil, marginKm: Double = 100) {
      self.reference = reference
      self.mask = mask
      self.marginKm = marginKm
    }
  }

  public struct Edges: Sendable {
    public var source, destination: String
    /// Several make a union.
    public var builders: [EdgeBuilder]
    public var attributes: [Attribute]

    public init(source: String, destination: String, builders: [EdgeBuilder], attributes: [Attribute] = Attribute.usual)
    {
      self.source = source
      self.destination = destination
      self.builders = builders
      self.attributes = attributes
    }
  }

  public struct Attribute: Sendable {
    public var name: String
    public var kind: EdgeGeometry
    public var norm: Normalisation

    public init(name: String, kind: EdgeGeometry, norm: Normalisation) {
      self.name = name
      self.kind = kind
      self.norm = norm
    }

    /// Values of the configurations that anemoi-training ships.
    public static let usual = [
      Attribute(name: "edge_length", kind: .length, norm: .unitStd),
      Attribute(name: "edge_dirs", kind: .direction, norm: .unitStd),
    ]
  }

  public struct EdgeBuilder: Sendable {
    public var kind: Kind
    public var sourceMask, destinationMask: String?
    /// Whether sources and destinations swap their parts: each source chooses its destinations.
    public var isReversed: Bool

    public init(
      _ kind: Kind, sourceMask: String? = nil, destinationMask: String? = nil, isReversed: Bool = false
    ) {
      self.kind = kind
      self.sourceMask = sourceMask
      self.destinationMask = destinationMask
      self.isReversed = isReversed
    }

    public enum Kind: Sendable {
      /// For each destination its nearest sources.
      case nearest(Int)
      /// For each destination all sources within a radius; of more than `most` the nearest.
      case cutOff(Radius, most: Int)
      /// The edges of a refined icosahedron's levels, or all pairs within some hops on them. nil: all levels from 0 on.
      case multiScale(levels: [Int]?, hops: Int)
    }

    public enum Radius: Sendable {
      /// Times the largest distance of a destination from the nearest other one.
      case factor(Double)
      case km(Double)
    }
  }

  /// The Earth's radius with which anemoi-graphs measures kilometres on the unit sphere.
  static let earthRadiusKm = 6_371.0
}
