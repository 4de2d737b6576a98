// The dashboard of the notifier: received events, their results, and what waits in the queues.
'use strict';

const FUNCTION = '${ParrotLambdaFunction}';

const search = (name, dimension, label) => [
  {
    expression: `SEARCH('{ecs-parrot,FunctionName${dimension ? `,${dimension}` : ''}} MetricName="${name}" FunctionName="${FUNCTION}"', 'Sum', 300)`,
    label,
  },
];

const widget = (title, metrics, place, more = {}) => ({
  type: 'metric',
  width: 12,
  height: 6,
  ...place,
  properties: { title, metrics, region: '${AWS::Region}', stat: 'Sum', period: 300, ...more },
});

const own = (name) => ['ecs-parrot', name, 'FunctionName', FUNCTION];

const widgets = [
  widget('Events', [own('EventsReceived'), own('EventsKept'), own('EventsInvalid')], { x: 0, y: 0 }),
  widget('Dropped, by reason', [search('EventsDropped', 'Reason', '')], { x: 12, y: 0 }, { view: 'timeSeries', stacked: true }),
  widget(
    'Messages, by channel',
    [search('Delivered', 'Channel', 'delivered'), search('Failed', 'Channel', 'failed'), search('Retries', 'Channel', 'retries'), search('Duplicates', 'Channel', 'duplicates'), search('Counted', 'Channel', 'counted'), search('Edits', 'Channel', 'edits')],
    { x: 0, y: 6 }
  ),
  widget('Delivery time (ms)', [[{ ...search('DeliveryTime', 'Channel', '')[0], expression: search('DeliveryTime', 'Channel', '')[0].expression.replace("'Sum'", "'p99'") }]], { x: 12, y: 6 }),
  widget(
    'Dead letters',
    [['AWS/SQS', 'ApproximateNumberOfMessagesVisible', 'QueueName', '${DeadLetterQueue.QueueName}', { stat: 'Maximum' }]],
    { x: 0, y: 12 }
  ),
  widget(
    'Function',
    [
      ['AWS/Lambda', 'Invocations', 'FunctionName', FUNCTION],
      ['AWS/Lambda', 'Errors', 'FunctionName', FUNCTION],
      ['AWS/Lambda', 'Throttles', 'FunctionName', FUNCTION],
      own('EnrichmentFailures'),
    ],
    { x: 12, y: 12 }
  ),
];

module.exports = {
  body: async () => ({ 'Fn::Sub': JSON.stringify({ widgets }) }),
};
