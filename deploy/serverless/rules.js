// The rules of the notifier: which events each one takes, and where it sends them: to the queue, to the function or to
// the archive. No event is taken by two rules.
'use strict';

const API_CALL = 'AWS API Call via CloudTrail';

// Calls of the ECS agents, which add nothing to a task's own events.
const OF_AGENTS = ['SubmitContainerStateChange', 'SubmitAttachmentStateChanges', 'DiscoverPollEndpoint'];

// `key` is the switch below `custom.rules`, `name` is the end of the rule's name. `isOn` has all switches.
const rules = (isOn) => [
  // This needs a CloudTrail trail that logs management events. `trail: true` creates one.
  {
    key: 'apiCalls',
    name: 'api-calls',
    resource: 'ApiCalls',
    description: 'ECS API calls, but not what its agents report',
    pattern: {
      source: ['aws.ecs'],
      'detail-type': [API_CALL],
      detail: {
        eventSource: ['ecs.amazonaws.com'],
        // The native rule replaces SubmitTaskStateChange.
        eventName: [{ 'anything-but': isOn.native ? [...OF_AGENTS, 'SubmitTaskStateChange'] : OF_AGENTS }],
      },
    },
  },
  // All other events of ECS, so that new event types of AWS arrive too.
  {
    key: 'native',
    name: 'ecs-events',
    resource: 'EcsEvents',
    description: "ECS's own events",
    pattern: { source: ['aws.ecs'], 'detail-type': [{ 'anything-but': [API_CALL] }] },
  },
  {
    key: 'health',
    name: 'health',
    resource: 'Health',
    description: 'AWS Health about ECS and Fargate',
    pattern: {
      source: ['aws.health'],
      'detail-type': ['AWS Health Event'],
      detail: { service: ['ECS', 'FARGATE'] },
    },
  },
  // Application Auto Scaling sends events only about this.
  // https://docs.aws.amazon.com/autoscaling/application/userguide/monitoring-eventbridge.html
  {
    key: 'scaling',
    name: 'scaling',
    resource: 'Scaling',
    description: 'ECS services that were scaled to their maximum',
    pattern: {
      source: ['aws.application-autoscaling'],
      'detail-type': ['Application Auto Scaling Scaling Activity State Change'],
      detail: { serviceNamespace: ['ecs'], scaledToMax: [true] },
    },
  },
  // Alarms on metrics of ECS, those that target tracking makes, and composite alarms. An alarm may have several metrics:
  // a pattern matches if one element of a list does. The alarms of this stack have other namespaces. An alarm that is
  // deleted while it is on sends a configuration change, and never OK.
  // https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch-and-eventbridge.html
  {
    key: 'alarms',
    name: 'alarms',
    resource: 'Alarms',
    description: 'CloudWatch alarms of ECS',
    pattern: {
      source: ['aws.cloudwatch'],
      'detail-type': ['CloudWatch Alarm State Change', 'CloudWatch Alarm Configuration Change'],
      detail: {
        $or: [
          { configuration: { metrics: { metricStat: { metric: { namespace: ['AWS/ECS', 'ECS/ContainerInsights'] } } } } },
          { alarmName: [{ prefix: 'TargetTracking-service/' }] },
          { configuration: { alarmRule: [{ exists: true }] } },
        ],
      },
    },
  },
  {
    key: 'codeDeploy',
    name: 'code-deploy',
    resource: 'CodeDeploy',
    description: 'Deployments by CodeDeploy',
    pattern: { source: ['aws.codedeploy'], 'detail-type': ['CodeDeploy Deployment State-change Notification'] },
  },
  {
    key: 'instances',
    name: 'instances',
    resource: 'Instances',
    description: 'EC2 instances that end, or that cannot be started',
    pattern: {
      $or: [
        {
          source: ['aws.ec2'],
          'detail-type': ['EC2 Spot Instance Interruption Warning', 'EC2 Instance Rebalance Recommendation'],
        },
        {
          source: ['aws.autoscaling'],
          'detail-type': ['EC2 Instance Launch Unsuccessful', 'EC2 Instance-terminate Lifecycle Action'],
        },
        {
          source: ['aws.health'],
          'detail-type': ['AWS Health Event'],
          detail: { service: ['EC2'], eventTypeCategory: ['scheduledChange'] },
        },
      ],
    },
  },
];

const arn = (service, resource) => ({
  'Fn::Sub': `arn:\${AWS::Partition}:${service}:\${AWS::Region}:\${AWS::AccountId}:${resource}`,
});

const DEAD_LETTERS = { 'Fn::GetAtt': ['DeadLetterQueue', 'Arn'] };

// The most attempts that EventBridge allows. Mostly the age of the event ends them earlier.
const ATTEMPTS = 185;

const state = (isOn) => (isOn ? 'ENABLED' : 'DISABLED');

// The settings that the rules depend on.
const settings = async ({ resolveVariable }) => ({
  isOn: await resolveVariable('self:custom.rules'),
  prefixes: await resolveVariable('self:custom.rulePrefix'),
  age: await resolveVariable('self:custom.eventAge'),
  archive: await resolveVariable('self:custom.archiveName'),
  organization: await resolveVariable(`self:custom.mysettings.hub.organization, ''`),
  hub: await resolveVariable('self:custom.hubName'),
});

// The rules as resources, each named after its own and `suffix`.
const resources = (given, suffix, make) =>
  Object.fromEntries(rules(given.isOn).map((rule) => [`${rule.resource}${suffix}`, make(given, rule)]));

const queuedRule = ({ isOn, prefixes, age }, { key, name, description, pattern }) => ({
  Type: 'AWS::Events::Rule',
  Properties: {
    Name: `${prefixes.queue}-${name}`,
    Description: description,
    State: state(isOn[key]),
    EventPattern: pattern,
    Targets: [
      {
        Id: 'events',
        Arn: { 'Fn::GetAtt': ['EventQueue', 'Arn'] },
        RetryPolicy: { MaximumEventAgeInSeconds: age, MaximumRetryAttempts: ATTEMPTS },
        DeadLetterConfig: { Arn: DEAD_LETTERS },
      },
    ],
  },
});

const directEvent = ({ isOn, prefixes, age }, { key, name, description, pattern }) => ({
  eventBridge: {
    name: `${prefixes.direct}-${name}`,
    description,
    enabled: isOn[key],
    pattern,
    retryPolicy: { maximumEventAge: age, maximumRetryAttempts: ATTEMPTS },
    deadLetterQueueArn: DEAD_LETTERS,
  },
});

// Events that cannot be archived are not kept elsewhere: what is in the dead-letter queue was not posted.
const archivingRule = ({ isOn, prefixes, age, archive }, { key, name, description, pattern }) => ({
  Type: 'AWS::Events::Rule',
  Properties: {
    Name: `${prefixes.archive}-${name}`,
    Description: `${description}, for the archive`,
    State: state(isOn[key]),
    EventPattern: pattern,
    Targets: [
      {
        Id: 'archive',
        Arn: arn('logs', `log-group:${archive}`),
        RetryPolicy: { MaximumEventAgeInSeconds: age, MaximumRetryAttempts: ATTEMPTS },
      },
    ],
  },
});

module.exports = {
  // `ingest: queue`: the rules send events to the event queue.
  queued: async (context) => resources(await settings(context), 'Rule', queuedRule),
  // `ingest: direct`: the rules invoke the function.
  direct: async (context) => {
    const given = await settings(context);
    // Events that are still in the queue after a switch.
    const queue = await context.resolveVariable('self:custom.eventQueue.event');
    return [queue, ...rules(given.isOn).map((rule) => directEvent(given, rule))];
  },
  // The rules of the archive, which are the same for both ways.
  archiving: async (context) => resources(await settings(context), 'ArchiveRule', archivingRule),
  // The rules of both ways: the old rules still send events during a switch.
  arns: async (context) => {
    const { isOn, prefixes, organization, hub } = await settings(context);
    const own = [prefixes.queue, prefixes.direct].flatMap((prefix) =>
      rules(isOn).map(({ name }) => arn('events', `rule/${prefix}-${name}`))
    );
    return organization ? [...own, arn('events', `rule/${hub}/${hub}-members`)] : own;
  },
};
