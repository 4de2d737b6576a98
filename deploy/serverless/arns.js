// ARNs of what the settings name by patterns: IAM is told of each, and of nothing else.
'use strict';

const words = (value) =>
  (Array.isArray(value) ? value : String(value ?? '').split(','))
    .map((word) => String(word).trim())
    .filter((word) => word !== '');

const sub = (resource) => ({
  'Fn::Sub': `arn:\${AWS::Partition}:ecs:\${AWS::Region}:\${AWS::AccountId}:${resource}`,
});

// IAM knows no pattern but `*` and `?`. What the function understands beside them becomes the narrowest of these that
// covers it: one of several characters is any one, one of several words is any. The function refuses the rest.
const forIam = (pattern) =>
  pattern
    .replace(/\\(.)/g, '?')
    .replace(/\[[!^]?\]?[^\]]*\]/g, '?')
    .replace(/\{[^}]*\}/g, '*')
    .replace(/\*\*+/g, '*');

// Of an ARN the part that names the thing, or the name as it is. A class of characters may have a `/` in it.
const name = (word) => forIam(word).split('/').pop();

const setting = async ({ resolveVariable }, path) =>
  words(await resolveVariable(`self:custom.mysettings.${path}, ''`));

// IAM wants a resource in every statement; where nothing is named, one that nobody has.
const orNone = (arns, none) => (arns.length === 0 ? [sub(none)] : arns);

const definitions = (names) =>
  orNone(
    names.map(name).map((it) => sub(`task-definition/${it.includes(':') ? it : `${it}:*`}`)),
    'task-definition/none:0'
  );
const clusters = (names) => orNone(names.map((it) => sub(`cluster/${name(it)}`)), 'cluster/none');
const inClusters = (kind, names) =>
  orNone(names.map((it) => sub(`${kind}/${name(it)}/*`)), `${kind}/none/none`);

const queueDefinitions = (context) => setting(context, 'run_from_queue.allowed_task_definitions');
const queueClusters = (context) => setting(context, 'run_from_queue.allowed_clusters');
// A hook of Amazon ECS's own takes both from the service, so that it may run any of the account's.
const hookDefinitions = async (context) => {
  const named = await setting(context, 'deploy_hook.task_definition');
  return named.length === 0 ? ['*'] : named;
};
const hookClusters = async (context) => {
  const named = await setting(context, 'deploy_hook.cluster_name');
  return named.length === 0 ? ['*'] : named;
};

// Where a secret is kept, `ssm:/path` or `secretsmanager:ID[:key]`, as IAM knows it.
const secretOf = (reference) => {
  const arn = (service, resource) => ({
    'Fn::Sub': `arn:\${AWS::Partition}:${service}:\${AWS::Region}:\${AWS::AccountId}:${resource}`,
  });
  if (reference.startsWith('ssm:')) {
    // A version or a label after the name is nothing to IAM.
    const place = reference.slice(4);
    return place.startsWith('arn:')
      ? place.split(':').slice(0, 6).join(':')
      : arn('ssm', `parameter/${place.split(':')[0].replace(/^\//, '')}`);
  }
  const place = reference.slice('secretsmanager:'.length);
  if (place.startsWith('arn:')) {
    return place.split(':').slice(0, 7).join(':');
  }
  // Secrets Manager puts six characters of its own behind a name.
  return arn('secretsmanager', `secret:${place.split(':')[0]}-??????`);
};

// Every text in a list or an object, however deep.
const texts = (value) => {
  if (value !== null && typeof value === 'object') {
    return Object.values(value).flatMap(texts);
  }
  return value === null || value === undefined ? [] : [String(value).trim()];
};

const channels = ({ resolveVariable }) => resolveVariable(`self:custom.mysettings.channels, ''`);

module.exports = {
  // The list as JSON, or the text that says where it is kept.
  channels: async (context) => {
    const list = await channels(context);
    return list !== null && typeof list === 'object' ? JSON.stringify(list) : String(list ?? '').trim();
  },
  // Seconds until a record is shown again of which the function set nothing: it could not start, crashed or timed out.
  // Lambda asks for at least six times its time-out and the batching window, and twenty of them shall be four hours.
  // https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
  visibilityTimeout: async ({ resolveVariable }) => {
    const timeout = Number(await resolveVariable('self:custom.mysettings.timeout, 15'));
    const window = Number(await resolveVariable('self:custom.batchingWindow'));
    // What is no number is refused where it is the function's own.
    return Math.max(6 * (Number.isFinite(timeout) ? timeout : 15) + window, 720);
  },
  queueDefinitions: async (context) => definitions(await queueDefinitions(context)),
  queueClusters: async (context) => clusters(await queueClusters(context)),
  queueServices: async (context) => inClusters('service', await queueClusters(context)),
  queueTasks: async (context) => inClusters('task', await queueClusters(context)),
  hookDefinitions: async (context) => definitions(await hookDefinitions(context)),
  hookClusters: async (context) => clusters(await hookClusters(context)),
  hookTasks: async (context) => inClusters('task', await hookClusters(context)),
  // The table of what was told: the stack's own, unless another is named.
  dedupTable: async ({ resolveVariable }) => {
    const named = String((await resolveVariable(`self:custom.mysettings.dedup_table, ''`)) ?? '').trim();
    const service = await resolveVariable('self:service');
    return named || `${service}-${await resolveVariable('sls:stage')}-told`;
  },
  // Whether it is the stack's own, another, or there is none.
  whichTable: async ({ resolveVariable }) => {
    const named = String((await resolveVariable(`self:custom.mysettings.dedup_table, ''`)) ?? '').trim();
    if (named === '') {
      return 'own';
    }
    return named.toUpperCase() === 'DISABLED' ? 'none' : 'another';
  },
  // The same where it is not the stack's own, by its name or its ARN.
  namedTable: async ({ resolveVariable }) => {
    const named = String((await resolveVariable(`self:custom.mysettings.dedup_table, ''`)) ?? '').trim();
    return named.startsWith('arn:')
      ? named
      : {
          'Fn::Sub': `arn:\${AWS::Partition}:dynamodb:\${AWS::Region}:\${AWS::AccountId}:table/${named || 'none'}`,
        };
  },
  // The secrets of the notifier's channels that are kept elsewhere; none by default.
  channelSecrets: async (context) => {
    const read = (path) => context.resolveVariable(`self:custom.mysettings.${path}, ''`);
    const values = [await read('slack.webhookurl'), await read('flowdock.api_token'), await channels(context)];
    const arns = texts(values).filter((it) => /^(ssm|secretsmanager):/.test(it)).map(secretOf);
    return arns.length === 0
      ? [{ 'Fn::Sub': 'arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/none/none' }]
      : arns;
  },
  // The roles that a task may be given; none by default.
  passedRoles: async (context) => {
    const roles = await setting(context, 'pass_roles');
    return roles.length === 0
      ? [{ 'Fn::Sub': 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/none/none' }]
      : roles;
  },
};
