import * as turf from '@turf/turf';
import proj4 from 'proj4';
import wk from 'wellknown';
import { latLngToCell, cellToBoundary } from 'h3-js';
console.log(
  turf
    .area(
      turf.polygon([
        [
          [0, 0],
          [1, 0],
          [1, 1],
          [0, 1],
          [0, 0],
        ],
      ]),
    )
    .toFixed(3),
  turf.distance([0, 0], [1, 1]).toFixed(6),
  turf.buffer(turf.point([0, 0]), 10, { steps: 4 }).geometry.coordinates[0].length,
  turf.union(turf.featureCollection([turf.bboxPolygon([0, 0, 2, 2]), turf.bboxPolygon([1, 1, 3, 3])])).geometry.coordinates[0].length,
);
console.log(proj4('EPSG:4326', 'EPSG:3857', [10, 50]), wk.parse('POLYGON ((0 0, 1 0, 1 1, 0 0))'), latLngToCell(37.7, -122.4, 7));
